"""llama.cpp's GGUF: its metadata, and where its tensors are; every count and length is checked before it is used.

Source: docs/gguf.md of ggml. Versions 2 and 3, little-endian.
"""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from tinygpt_tui.errors import CheckpointError, NotFoundError, storage_error
from tinygpt_tui.foreign.ggml_blocks import BLOCKS
from tinygpt_tui.foreign.tensors import ITEM_SIZES, MOST_TENSORS, TensorPlace, check_apart
from tinygpt_tui.reading import open_file

MAGIC = b"GGUF"
MOST_ENTRIES = 10_000
MOST_ELEMENTS = 1 << 21  # of an array: a large vocabulary has 256 Ki tokens and as many merges
LONGEST = 1 << 20  # bytes of a text
MOST_DIMENSIONS = 4
LARGEST_HEADER = 256 << 20
_ALIGNMENT = "general.alignment"
# ggml's numbers of its kinds; what is not read is named, where it is known.
_KINDS = {0: "F32", 1: "F16", 2: "Q4_0", 8: "Q8_0", 14: "Q6_K", 28: "F64", 30: "BF16"}
_OTHER_KINDS = {
    3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 20: "IQ4_NL", 23: "IQ4_XS",
}  # fmt: skip
_NUMBERS = {0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 10: "<u8", 11: "<i8", 12: "<f8"}
_BOOL, _STRING, _ARRAY = 7, 8, 9


def read_gguf(path: Path) -> tuple[list[TensorPlace], dict[str, Any]]:
    """Return the places of the tensors and the metadata: numbers, texts, and lists of one of these.

    Raises CheckpointError where the header is damaged, asks for more than the file has, or a tensor is of a kind that
    is not read; NotFoundError, StorageError.
    """
    try:
        with open_file(path) as file:
            return _Header(path, file).read()
    except FileNotFoundError:
        raise NotFoundError(f"{path} is not there", "check the path") from None
    except OSError as error:
        raise storage_error(error, path) from error


class _Header:
    """Reads one value after another, never more bytes than the file has."""

    def __init__(self, path: Path, file: io.BufferedReader) -> None:
        self._path, self._file = path, file
        self._size = file.seek(0, 2)
        self._at = file.seek(0)

    def read(self) -> tuple[list[TensorPlace], dict[str, Any]]:
        if self._bytes(4) != MAGIC:
            raise self._damaged("it does not begin as a GGUF does")
        version = self._whole("<I")
        if version not in (2, 3):
            raise CheckpointError(
                f"{self._path.name} is a GGUF of version {version}; 2 and 3 are read",
                "convert the model again with today's llama.cpp (a file of another byte order looks like this, too)",
            )
        tensors, entries = self._whole("<Q"), self._whole("<Q")
        if tensors > MOST_TENSORS or entries > MOST_ENTRIES:
            raise self._damaged(f"it would have {tensors:,} tensors and {entries:,} entries")
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            name = self._text()
            if name in metadata:
                raise self._damaged(f"it has {name[:60]} twice")
            metadata[name] = self._value(self._whole("<I"))
        described = [self._tensor() for _ in range(tensors)]
        alignment = metadata.get(_ALIGNMENT, 32)
        if type(alignment) is not int or not 8 <= alignment <= 1 << 16 or alignment % 8:
            raise self._damaged(f"its {_ALIGNMENT} is {str(alignment)[:20]}")
        body = -(-self._at // alignment) * alignment
        places = [self._place(body, *one) for one in described]
        check_apart(places)
        return places, metadata

    def _tensor(self) -> tuple[str, tuple[int, ...], str, int]:
        """Return name, shape (rows first), kind and offset."""
        name = self._text()
        dimensions = self._whole("<I")
        if dimensions > MOST_DIMENSIONS:
            raise self._damaged(f"{name[:60]} has {dimensions:,} dimensions")
        shape = tuple(self._whole("<Q") for _ in range(dimensions))[::-1]
        kind, offset = self._whole("<I"), self._whole("<Q")
        if kind not in _KINDS:
            shown = _OTHER_KINDS.get(kind, f"the unknown kind {kind}")
            raise CheckpointError(
                f"{self._path.name}: {name[:60]} is made of {shown}, which is not read",
                f"use a file in {', '.join(_KINDS.values())}",
            )
        return name, shape, _KINDS[kind], offset

    def _place(self, body: int, name: str, shape: tuple[int, ...], kind: str, offset: int) -> TensorPlace:
        numel = math.prod(shape)
        block = BLOCKS.get(kind)
        if block is not None and (not shape or shape[-1] % block.numel):
            raise self._damaged(f"{name[:60]} has rows that are no whole blocks of {kind}")
        left = max(0, self._size - body - offset)
        room = left // block.size * block.numel if block else left // ITEM_SIZES[kind]
        return TensorPlace(name, self._path, kind, shape, body + offset, min(room, numel))

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind == _BOOL:
            return self._whole("<B") != 0
        if kind in _NUMBERS:
            return self._numbers(kind, 1)[0]
        if kind != _ARRAY:
            raise self._damaged(f"a value of the unknown kind {kind}")
        inner, count = self._whole("<I"), self._whole("<Q")
        if count > MOST_ELEMENTS:
            raise self._damaged(f"a list of {count:,} values")
        if inner == _STRING:
            return [self._text() for _ in range(count)]
        if inner == _BOOL:
            return [value != 0 for value in self._bytes(count)]
        if inner not in _NUMBERS:
            raise self._damaged(f"a list of values of the kind {inner}")
        return self._numbers(inner, count)

    def _numbers(self, kind: int, count: int) -> list[Any]:
        form = np.dtype(_NUMBERS[kind])
        numbers: list[Any] = np.frombuffer(self._bytes(count * form.itemsize), dtype=form).tolist()
        return numbers

    def _text(self) -> str:
        length = self._whole("<Q")
        if length > LONGEST:
            raise self._damaged(f"a text of {length:,} bytes")
        return self._bytes(length).decode("utf-8", "replace")

    def _whole(self, form: str) -> int:
        value: int = struct.unpack(form, self._bytes(struct.calcsize(form)))[0]
        return value

    def _bytes(self, count: int) -> bytes:
        self._at += count
        if self._at > min(self._size, LARGEST_HEADER):
            raise self._damaged("its header does not end")
        content = self._file.read(count)
        if len(content) < count:
            raise self._damaged("its header does not end")
        return content

    def _damaged(self, why: str) -> CheckpointError:
        return CheckpointError(f"{self._path.name} is damaged: {why}", "copy the file again")
