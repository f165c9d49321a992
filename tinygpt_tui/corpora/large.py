"""Texts that are too large for the memory: their files are decoded piece by piece, each time they are read."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from tinygpt_tui.corpora.encodings import (
    AUTO,
    FIRST_LEAD,
    LONGEST_SEQUENCE,
    VALID_FOR_EACH_BAD,
    WIDE,
    check_encoding,
    guess,
    note_of_bad,
)
from tinygpt_tui.errors import CorpusError, storage_error
from tinygpt_tui.reading import open_file
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.tokenizers.ids import CharacterCounts

BYTES_AT_ONCE = 1 << 20
UTF_8 = "utf-8-sig"
UNIFORM = "line ends made uniform"


class TextFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How a large text is decoded, and what was found in it."""

    codec: str = UTF_8
    errors: str = "strict"  # what is done with bytes that are wrong
    notes: list[str] = []
    guessed: bool = False
    counts: dict[str, int] = {}
    documents: int = 0


@dataclass(frozen=True)
class FileParts:
    """The parts of a text in a file. Iterating raises CorpusError if the file has changed, StorageError."""

    path: Path
    stamp: tuple[int, int]  # size and time of the last change
    codec: str
    errors: str
    left_out: str = ""  # a character

    def __iter__(self) -> Iterator[str]:
        """Decode the file, line ends made uniform."""
        ends = line_ends(self.codec, self.errors)
        for block, last in blocks(self.path, self.stamp):
            part = ends.decode(block, final=last)
            yield part.replace(self.left_out, "") if self.left_out else part


def line_ends(codec: str, errors: str) -> io.IncrementalNewlineDecoder:
    """Return a decoder of blocks of bytes that makes line ends uniform; its `newlines` are those it has seen."""
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)(errors), translate=True)


def stamp_of(path: Path) -> tuple[int, int]:
    """Return what changes with the file. Raises OSError."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def blocks(path: Path, stamp: tuple[int, int]) -> Iterator[tuple[bytes, bool]]:
    """Yield a file's bytes, some at a time, and whether they are the last. Raises CorpusError, StorageError."""
    try:
        with open_file(path) as file:
            block = file.read(BYTES_AT_ONCE)
            while block:
                after = file.read(BYTES_AT_ONCE)
                yield block, not after
                block = after
            status = os.fstat(file.fileno())
        changed = (status.st_size, status.st_mtime_ns) != stamp or stamp_of(path) != stamp
    except OSError as error:
        raise storage_error(error, path) from error
    if changed:
        raise CorpusError(f"{path} changed while it was read", "start again when nothing writes to it")


def hashing(path: Path, stamp: tuple[int, int]) -> Generator[float, None, str]:
    """Yield the share that is read; return the hash of the file."""
    digest, done = hashlib.sha256(), 0
    for block, _ in blocks(path, stamp):
        digest.update(block)
        done += len(block)
        yield done / stamp[0]
    return digest.hexdigest()


def examining(
    path: Path, stamp: tuple[int, int], encoding: str, *, gathered: bool
) -> Generator[float, None, TextFacts]:
    """Yield the share that is read, from the beginning again where a text is not UTF-8; return its facts.

    Raises CorpusError, UsageError, StorageError.
    """
    codec = UTF_8 if encoding in (AUTO, "utf-8") else check_encoding(encoding)
    try:
        return (yield from _counting(path, stamp, TextFacts(codec=codec), gathered=gathered))
    except UnicodeError as error:
        if gathered:
            raise CorpusError(f"{path.name} is damaged: {error}", "choose its sources again") from None
    facts = yield from _other_decoding(path, stamp, encoding, codec)
    return (yield from _counting(path, stamp, facts))


def _counting(
    path: Path, stamp: tuple[int, int], facts: TextFacts, *, gathered: bool = False
) -> Generator[float, None, TextFacts]:
    """Count characters and documents. Raises UnicodeError."""
    ends, counts, done, documents = line_ends(facts.codec, facts.errors), CharacterCounts(), 0, 0
    for block, last in blocks(path, stamp):
        piece = ends.decode(block, final=last)
        counts.add(piece)
        documents += piece.count(BOUNDARY) if gathered else 0
        done += len(block)
        yield done / stamp[0]
    notes = [*facts.notes, UNIFORM] if ends.newlines not in (None, "\n") else facts.notes
    return msgspec.structs.replace(facts, counts=counts.by_character(), documents=documents, notes=notes)


def _other_decoding(path: Path, stamp: tuple[int, int], encoding: str, codec: str) -> Generator[float, None, TextFacts]:
    """Return how a text is decoded that is not strictly in `codec`; nothing is counted yet."""
    notes, guessed = list[str](), encoding == AUTO
    if guessed:
        bad, valid, sample = yield from _as_utf_8(path, stamp)
        if valid and bad * VALID_FOR_EACH_BAD <= valid:
            return TextFacts(errors="ignore", notes=[f"{path.name} is UTF-8 except for {bad:,} bytes, left out"])
        _, codec, note = guess(sample, path.name)
        notes, encoding = [note], codec
    ends, places, characters = line_ends(codec, "replace"), 0, 0
    try:
        for block, last in blocks(path, stamp):
            piece = ends.decode(block, final=last)
            places, characters = places + piece.count("\ufffd"), characters + len(piece)
            yield 0.0
    except UnicodeError as error:  # UTF-16 without its mark
        raise CorpusError(f"{path.name} is not {encoding}: {error}", "name another encoding") from None
    notes += [note_of_bad(path.name, encoding, places, characters)] if places else []
    return TextFacts(codec=codec, errors="ignore" if places else "strict", notes=notes, guessed=guessed)


def _as_utf_8(path: Path, stamp: tuple[int, int]) -> Generator[float, None, tuple[int, int, bytes]]:
    """Return how many bytes are not UTF-8, how many characters of several bytes are, and lines with the first fault."""
    decoder, bad, valid, sample = codecs.getincrementaldecoder("utf-8")("ignore"), 0, 0, b""
    for block, last in blocks(path, stamp):
        clean = decoder.decode(block, final=last).encode()
        bad += len(block) - len(clean)  # what is left of a block counts as good in the next one
        valid += int((np.frombuffer(clean, np.uint8) >= FIRST_LEAD).sum())
        if bad >= LONGEST_SEQUENCE and not sample:
            sample = block if block.startswith(WIDE) else block[block.find(b"\n") + 1 : block.rfind(b"\n") + 1] or block
        yield 0.0
    return bad, valid, sample or block
