"""The vocabulary of a Llama, as llama2.c keeps it: sentencepiece's `tokenizer.model`, or its own `tokenizer.bin`.

The first is a protocol buffer, of which few fields are needed (sentencepiece_model.proto); the second is a number, then
for each piece its score, its length and its bytes (llama2.c, tokenizer.py). Neither needs a library.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.sidecars import read_small
from tinygpt_tui.tokenizers.pieces import MOST_PIECES, PiecesTokenizer

# ids that llama2.c's tokenizer.bin does not mark: unknown, beginning, end
UNKNOWN, BEGIN, END = 0, 1, 2
_LARGEST_PIECE = 4096  # bytes
# sentencepiece_model.proto: the fields that are read
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_TEXT, _SCORE, _TYPE = 1, 2, 3
_KIND, _BLANK_BEFORE, _RULES = 3, 3, 2
_BPE, _UNKNOWN_TYPE, _CONTROL_TYPE = 2, 2, 3
_AGAIN = "copy the file again, or name another: --vocabulary FILE"


def read_tokenizer_bin(path: Path, size: int) -> PiecesTokenizer:
    """Read llama2.c's `tokenizer.bin`. Raises CheckpointError, StorageError."""
    data = read_small(path)
    pieces: list[str] = []
    scores: list[float] = []
    place = 4
    while place < len(data):
        if place + 8 > len(data):
            raise _damaged(path, "it ends inside a piece")
        score, length = struct.unpack_from("<fi", data, place)
        place += 8
        if not 0 <= length <= _LARGEST_PIECE or place + length > len(data) or len(pieces) >= MOST_PIECES:
            raise _damaged(path, f"piece {len(pieces):,} is {length:,} bytes long")
        pieces.append(_text(path, data[place : place + length]))
        scores.append(score)
        place += length
    if len(pieces) <= END or struct.unpack_from("<i", data)[0] < max(len(piece) for piece in pieces):
        raise _damaged(path, "it is not of llama2.c's form")
    return PiecesTokenizer(pieces, scores, (UNKNOWN, BEGIN, END), BEGIN)


def read_tokenizer_model(path: Path, size: int) -> PiecesTokenizer:
    """Read sentencepiece's `tokenizer.model` where it is a BPE. Raises CheckpointError, StorageError."""
    pieces: list[str] = []
    scores: list[float] = []
    control: list[int] = []
    begin: int | None = None
    kind, blank_before, rules = 1, True, b""  # as the format has them where nothing is said
    for field, value in _fields(path, read_small(path)):
        if field == _PIECES and isinstance(value, bytes):
            told = dict(_fields(path, value))
            text, score, what = told.get(_TEXT, b""), told.get(_SCORE, b"\0\0\0\0"), told.get(_TYPE, 1)
            if not isinstance(text, bytes) or not isinstance(score, bytes) or len(score) != 4:
                raise _damaged(path, f"piece {len(pieces):,} is not described")
            if what in (_UNKNOWN_TYPE, _CONTROL_TYPE):
                control.append(len(pieces))
                if text == b"<s>":
                    begin = len(pieces)
            pieces.append(_text(path, text).replace("▁", " "))
            scores.append(struct.unpack("<f", score)[0])
        elif field == _TRAINER and isinstance(value, bytes):
            kind = _number(dict(_fields(path, value)).get(_KIND, kind))
        elif field == _NORMALIZER and isinstance(value, bytes):
            told = dict(_fields(path, value))
            blank_before = bool(_number(told.get(_BLANK_BEFORE, 1)))
            found = told.get(_RULES, b"")
            rules = found if isinstance(found, bytes) else b""
    if not pieces:
        raise _damaged(path, "it holds no pieces")
    if kind != _BPE:
        raise CheckpointError(f"{path.name} is a sentencepiece model of another kind than BPE", _OTHERS)
    if rules:
        raise CheckpointError(f"{path.name} rewrites texts before it takes them apart, which is not done here", _OTHERS)
    return PiecesTokenizer(pieces, scores, control, begin, blank_before)


_OTHERS = "only BPE without rules for normalisation is read, as Llama has it; name another file: --vocabulary FILE"


def _fields(path: Path, data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of a protocol buffer's fields: whole numbers as int, everything else as its bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(path, data, place)
        match key & 7:
            case 0:
                value, place = _varint(path, data, place)
                yield key >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, place = _varint(path, data, place)
            case 5:
                length = 4
            case _:
                raise _damaged(path, "it is no protocol buffer")
        if place + length > len(data):
            raise _damaged(path, "it ends inside a field")
        yield key >> 3, data[place : place + length]
        place += length


def _varint(path: Path, data: bytes, place: int) -> tuple[int, int]:
    """Return the number at `place`, seven bits a byte, and where it ends."""
    value = 0
    for count in range(10):
        if place + count >= len(data):
            break
        byte = data[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise _damaged(path, "it is no protocol buffer")


def _number(value: int | bytes) -> int:
    return value if isinstance(value, int) else 0


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise _damaged(path, "a piece is not UTF-8 text") from None


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path.name} is damaged: {why}", _AGAIN)
