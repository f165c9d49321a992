"""What `torch.save` writes, read as data: the zip of today, the row of pickles from before 2020, the tar of 2017."""

from __future__ import annotations

import mmap
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygpt_tui.errors import CheckpointError, storage_error
from tinygpt_tui.foreign.made_tensors import dequantized, from_sparse
from tinygpt_tui.foreign.readers.pickled import AnyTensor, ByteRange, MetaRef, SparseRef, TensorRef
from tinygpt_tui.foreign.readers.pickles import LARGEST_PROGRAM, read_pickle
from tinygpt_tui.foreign.readers.torch_legacy import STORAGE_KINDS, load_storage, read_legacy
from tinygpt_tui.foreign.readers.torch_tar import BLOCK, is_tar, read_tar
from tinygpt_tui.foreign.tensors import ITEM_SIZES, TensorPlace
from tinygpt_tui.foreign.wrong_files import of_zip
from tinygpt_tui.reading import open_file

LARGEST_DIRECTORY = 4 << 20  # bytes: of a zip's list of contents
_LONGEST_TAIL = (1 << 16) + 22 + 20  # bytes: a comment, the end of the list, and of a large one's
_HEADER = 30  # bytes of a zip entry's own header, before its name


@dataclass(frozen=True)
class Saved:
    """What a file holds: plain data with a TensorRef for each tensor, and the place of each storage.

    `program` is the pickle itself where it is no part of the file as it is, but was unpacked.
    """

    path: Path
    content: Any
    places: dict[str, tuple[int, int]]  # storage key -> first byte, how many
    program: bytes | None = None

    def place(self, name: str, tensor: AnyTensor) -> TensorPlace:
        """Return where the numbers of a tensor are. Raises CheckpointError where they are not there."""
        if isinstance(tensor, MetaRef):
            raise CheckpointError(
                f"{self.path.name} has no numbers: {name} is on torch's meta device, a shape alone",
                "load the model on a real device before it is saved",
            )
        if isinstance(tensor, SparseRef):
            parts = [self._plain(name, part) for part in tensor.parts]
            return from_sparse(name, tensor.layout, parts, tensor.shape)
        plain = self._plain(name, tensor)
        if tensor.scale is None:
            return plain
        scale, zero = tensor.scale, tensor.zero_point
        return dequantized(
            plain,
            self._plain(name, scale) if isinstance(scale, TensorRef) else scale,
            self._plain(name, zero) if isinstance(zero, TensorRef) else zero,
            tensor.axis,
        )

    def _plain(self, name: str, ref: TensorRef) -> TensorPlace:
        kind = STORAGE_KINDS.get(ref.kind)
        if kind is None:
            raise CheckpointError(f"{self.path.name}: {name} is a {ref.kind}, which is not read", "")
        content, held = ref.storage.content, None
        if content is None:
            if ref.storage.key not in self.places:
                raise CheckpointError(
                    f"{self.path.name}: the numbers of {name} are missing", "it was not copied to its end"
                )
            first, size = self.places[ref.storage.key]
        elif isinstance(content, ByteRange):
            first, size = content
            if self.program is not None:
                held, first = memoryview(self.program)[first : first + size], -1 - first
        else:
            held, first, size = memoryview(content), -1 - id(content), len(content)
        room = size // ITEM_SIZES[kind]
        return TensorPlace(name, self.path, kind, ref.shape, first, room, ref.offset, _plain_stride(ref), held)


def is_torch_file(beginning: bytes) -> bool:
    """Whether a file that begins so may be one that `torch.save` wrote."""
    return beginning.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))


def read_torch(path: Path) -> Saved:
    """Read what `torch.save` wrote. Raises CheckpointError, StorageError; nothing in the file is run."""
    try:
        with open_file(path) as file:
            if file.read(4) == b"PK\x03\x04":
                return _read_zip(path)
            file.seek(0)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if is_tar(data[:BLOCK]):
                    sizes = {name: ITEM_SIZES[kind] for name, kind in STORAGE_KINDS.items() if name.endswith("Storage")}
                    return Saved(path, *read_tar(path, data, sizes))
                return Saved(path, *read_legacy(path.name, data))
    except OSError as error:
        raise storage_error(error, path) from error
    except ValueError as error:  # an empty file cannot be mapped
        raise CheckpointError(f"{path.name} is empty or damaged: {error}", "copy the file again") from None


def _read_zip(path: Path) -> Saved:
    if not zipfile.is_zipfile(path):  # what a zip holds is written at its end
        raise CheckpointError(
            f"{path.name} is damaged: its end is missing", "it was not copied to its end; copy it again"
        )
    if _directory_size(path) > LARGEST_DIRECTORY:
        raise CheckpointError(f"{path.name}: its list of contents would have millions of entries", _BOMB)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            program = next((entry for entry in entries if entry.filename.endswith("/data.pkl")), None)
            if program is None:
                what, way_out = of_zip([entry.filename for entry in entries])
                raise CheckpointError(f"{path.name} is {what}", way_out)
            if max(program.file_size, program.compress_size) > LARGEST_PROGRAM:
                raise CheckpointError(f"{path.name}: its pickle would have {program.file_size:,} bytes", _BOMB)
            with archive.open(program) as stream:
                content = stream.read(LARGEST_PROGRAM + 1)
            root = program.filename.removesuffix("data.pkl")
            _check_byte_order(path, archive, root)
        places = dict(_zip_places(path, entries, f"{root}data/"))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, UnicodeDecodeError, struct.error) as error:
        raise CheckpointError(f"{path.name} is damaged: {error}", "copy the file again") from None
    except Exception as error:  # zlib.error, lzma.LZMAError …: of a pickle that was packed and does not unpack
        if isinstance(error, CheckpointError | OSError):
            raise
        raise CheckpointError(f"{path.name} is damaged: {error}", "copy the file again") from None
    if len(content) > LARGEST_PROGRAM:
        raise CheckpointError(f"{path.name}: its pickle has no end", _BOMB)
    value, _ = read_pickle(content, name=path.name, load=load_storage)
    return Saved(path, value, places, content)


_BOMB = "no checkpoint is like this; do not trust it"


def _directory_size(path: Path) -> int:
    """Return how many bytes a zip says that its list of contents has; `zipfile` would read all of it at once."""
    with open_file(path) as file:
        place = max(0, file.seek(0, 2) - _LONGEST_TAIL)
        file.seek(place)
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or at + 22 > len(tail):
            return 0  # zipfile says what is wrong
        (size,) = struct.unpack_from("<I", tail, at + 12)
        if tail[at - 20 : at - 16] == b"PK\x06\x07":  # the end of a large one is before it
            (place,) = struct.unpack_from("<Q", tail, at - 12)
            if place < 1 << 62:
                file.seek(place)
                end = file.read(56)
                if end[:4] == b"PK\x06\x06" and len(end) == 56:
                    size = max(size if size != 0xFFFFFFFF else 0, struct.unpack_from("<Q", end, 40)[0])
        return int(size)


def _check_byte_order(path: Path, archive: zipfile.ZipFile, root: str) -> None:
    try:
        with archive.open(f"{root}byteorder") as stream:
            order = stream.read(8)
    except KeyError:
        return
    if order != b"little":
        raise CheckpointError(f"{path.name} was written on a big-endian machine", "save it again on another")


def _zip_places(path: Path, entries: list[zipfile.ZipInfo], folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each storage's key, first byte and size; torch never packs them, so they are read in place."""
    size = path.stat().st_size
    end = 0
    with open_file(path) as file:
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            if not entry.filename.startswith(folder):
                continue
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise CheckpointError(f"{path.name}: its tensors are packed or locked", "save it again with torch")
            file.seek(entry.header_offset)
            header = file.read(_HEADER)
            if len(header) < _HEADER or header[:4] != b"PK\x03\x04":
                raise zipfile.BadZipFile(f"no header for {entry.filename}")
            name_length, extra_length = struct.unpack("<HH", header[26:30])
            first = entry.header_offset + _HEADER + name_length + extra_length
            if first < end or first + entry.file_size > size:
                raise zipfile.BadZipFile(f"{entry.filename} overlaps another, or is outside the file")
            end = first + entry.file_size
            yield entry.filename.removeprefix(folder), (first, entry.file_size)


def _plain_stride(ref: TensorRef) -> tuple[int, ...] | None:
    """Return the strides; None if the tensor is contiguous, as nearly always."""
    expected = 1
    for size, step in zip(reversed(ref.shape), reversed(ref.stride), strict=True):
        if size != 1 and step != expected:
            return ref.stride
        expected *= size
    return None
