"""The file of a packed text: what must be the same to unpack it, then the arithmetic code.

Bytes: MAGIC, VERSION, CRC-32 of all that follows; marks of the model and of the engine's probabilities; the model's and
the engine's name; the text's length in bytes and its CRC-32; the code. Numbers are little-endian, a name is its length
in one byte and UTF-8, the length of the text is LEB128.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui.errors import CorpusError, storage_error
from tinygpt_tui.reading import read_bytes

MAGIC, VERSION = b"tgp", 1
MODEL_MARK, ENGINE_MARK = 8, 4  # bytes
LARGEST = 1 << 30  # bytes of a text, or of a packed one
_LONGEST_NAME = 60  # bytes
_START = struct.Struct("<3sBI")


@dataclass(frozen=True)
class Packed:
    """A packed text. `model_mark` and `engine_mark` are hashes: of the model, and of what the engine computes for it.

    `engine` is empty for the native engine; `size` and `crc` are those of the text.
    """

    model: str
    model_mark: bytes
    engine: str
    engine_mark: bytes
    size: int
    crc: int
    code: bytes

    def to_bytes(self) -> bytes:
        rest = b"".join(
            (
                self.model_mark,
                self.engine_mark,
                _name(self.model),
                _name(self.engine),
                _number(self.size),
                struct.pack("<I", self.crc),
                self.code,
            )
        )
        return _START.pack(MAGIC, VERSION, zlib.crc32(rest)) + rest


def read_packed(path: Path) -> Packed:
    """Read a packed text. Raises CorpusError for a file that is none, or is damaged; StorageError."""
    try:
        content = read_bytes(path, LARGEST)
    except OSError as error:
        raise storage_error(error, path) from error
    if not content.startswith(MAGIC):
        raise CorpusError(f"{path.name} is not a packed text", "`tinygpt-tui pack` makes one")
    if len(content) < _START.size:
        raise damaged(path)
    _, version, crc = _START.unpack_from(content)
    if version != VERSION:
        raise CorpusError(f"{path.name} has the format {version}, not {VERSION}", "update tinygpt-tui")
    rest = content[_START.size :]
    if zlib.crc32(rest) != crc:
        raise damaged(path)
    try:
        packed = _parsed(rest)
    except (IndexError, UnicodeDecodeError, struct.error):
        raise damaged(path) from None
    if packed.size > LARGEST:
        raise damaged(path)
    return packed


def damaged(path: Path) -> CorpusError:
    """Return the error of a file that is not as it was written."""
    return CorpusError(f"{path.name} is damaged, or only a part of a packed text", "copy the file again")


def _parsed(rest: bytes) -> Packed:
    at = MODEL_MARK + ENGINE_MARK
    names = []
    for _ in range(2):
        end = at + 1 + rest[at]
        names.append(rest[at + 1 : end].decode("utf-8"))
        at = end
    size = shift = 0
    while True:
        byte, at = rest[at], at + 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128 or shift > 63:
            break
    (crc,) = struct.unpack_from("<I", rest, at)
    marks = rest[:MODEL_MARK], rest[MODEL_MARK : MODEL_MARK + ENGINE_MARK]
    return Packed(names[0], marks[0], names[1], marks[1], size, crc, rest[at + 4 :])


def _name(text: str) -> bytes:
    cut = text.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore").encode("utf-8")
    return bytes([len(cut)]) + cut


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
