"""A training text as ids: read, checked, and split by position."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil

from tinygpt_tui.corpora.encodings import AUTO, HEAD, check_beginning, decode, looks_binary, not_a_text
from tinygpt_tui.errors import CorpusError, storage_error
from tinygpt_tui.reading import open_file
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer, Ids, counting, exhausted, id_type
from tinygpt_tui.tokenizers.documents import BOUNDARY, DocumentTokenizer, document_cut, is_of_characters
from tinygpt_tui.words import size

R = TypeVar("R")

BYTES_AT_ONCE = 1 << 22
GATHERED = ".documents"  # the suffix of a text that was gathered, in UTF-8, with a BOUNDARY behind each document
COPIES_IN_MEMORY = 2  # of the file at least: its bytes, and its characters
READING_SHARE = 0.3  # of the time a text takes; the rest is for counting its characters


@dataclass(frozen=True)
class CorpusText:
    """A text as it was read, with its character counts, and notes on what had to be done to read it."""

    text: str = field(repr=False)
    sha256: str
    notes: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict, repr=False)
    guessed: bool = False  # its encoding
    documents: int = 0  # each ended by a BOUNDARY; 0: it is one text

    @property
    def plain(self) -> str:
        """The text with a new line in place of each BOUNDARY."""
        return self.text.replace(BOUNDARY, "\n") if self.documents else self.text


@dataclass(frozen=True)
class Corpus:
    """Ids in two parts: the model is trained on `train` (N,) and evaluated on `validation` (M,).

    They take one, two or four bytes each, as few as the vocabulary permits; a model needs them as int64. The text is
    split at the same character whatever the tokenizer. `validation_characters` is 0 where each token is one character.
    """

    tokenizer: Tokenizer
    train: Ids = field(repr=False)
    validation: Ids = field(repr=False)
    validation_characters: int = 0

    @property
    def characters_per_token(self) -> float:
        """Characters that a token of the validation split writes on average."""
        return self.validation_characters / len(self.validation) if self.validation_characters else 1.0


def read_text(path: Path, encoding: str = AUTO) -> CorpusText:
    """Read a text file; in UTF-8, or any other encoding that is recognised, converted with a note; or the one named.

    Raises CorpusError if the file is empty or not a text, StorageError if it cannot be read; UsageError if there is no
    such `encoding`.
    """
    return exhausted(reading(path, encoding))


def reading(path: Path, encoding: str = AUTO) -> Generator[float, None, CorpusText]:
    """Yield the share that is done, and return what `read_text` does; a caller can stop in between."""
    digest, content = hashlib.sha256(), bytearray()
    try:
        with open_file(path) as file:
            file_bytes = max(1, os.fstat(file.fileno()).st_size)
            _check_room(path.name, file_bytes)
            while part := file.read(BYTES_AT_ONCE):
                if not content and path.suffix != GATHERED:
                    check_beginning(part, path.name, encoding)
                digest.update(part)
                content += part
                yield READING_SHARE * min(1.0, len(content) / file_bytes)
    except FileNotFoundError:
        raise CorpusError(
            f"there is no file {path}", "check the path; `tinygpt-tui data` lists the known corpora"
        ) from None
    except IsADirectoryError:
        raise CorpusError(f"{path} is a folder", "name a text file in it") from None
    except OSError as error:
        raise storage_error(error, path) from error
    if path.suffix == GATHERED:
        encoding = "utf-8"
    text, notes, guessed = decode(content, path.name, encoding)
    del content  # before the characters are counted: it may be large
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("line ends made uniform")
    if not text or text.isspace():
        raise CorpusError(f"{path.name} is empty", "choose a file with some text in it")
    documents = text.count(BOUNDARY) if path.suffix == GATHERED else 0
    if documents == 1:
        text, documents = text.removesuffix(BOUNDARY), 0
    if not documents and looks_binary(text[:HEAD].encode("utf-8", "surrogatepass")):
        raise not_a_text(path.name)
    counts = yield from _later(counting(text), READING_SHARE)
    if len(counts.keys() - {"\n"}) < 2:
        raise CorpusError(
            f"{path.name} repeats one character, {min(counts.keys() - {chr(10)}, default=' ')!r}",
            "there is nothing to learn from it: choose another text",
        )
    return CorpusText(text, digest.hexdigest(), tuple(notes), counts, guessed, documents)


def _check_room(name: str, file_bytes: int) -> None:
    """Raise CorpusError if a file of this size cannot fit in the free memory."""
    wanted, free = COPIES_IN_MEMORY * file_bytes, psutil.virtual_memory().available
    if wanted > free:
        raise CorpusError(
            f"{name} has {size(file_bytes)}: reading it takes at least {size(wanted)} of memory, {size(free)} are free",
            "choose a part of it: head -c 1000000000",
        )


def sha256_of(path: Path) -> str:
    """Return the hash by which a run identifies its text. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _later(steps: Generator[float, None, R], start: float) -> Generator[float, None, R]:
    """Map the shares of `steps` to the range from `start` to 1."""
    while True:
        try:
            yield start + (1 - start) * next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def split(
    text: str, block_size: int, validation_share: float, tokenizer: Tokenizer | None = None, *, documents: bool = False
) -> Corpus:
    """Turn `text` into ids and split it once: the last `validation_share` is never trained on.

    Without a `tokenizer`, one of the text's own characters is made. With `documents` the cut is at the end of one.

    Raises CorpusError if a part is too short for one window of `block_size` tokens and the next token.
    """
    return exhausted(splitting(text, block_size, validation_share, tokenizer, documents=documents))


def splitting(
    text: str, block_size: int, validation_share: float, tokenizer: Tokenizer | None = None, *, documents: bool = False
) -> Generator[float, None, Corpus]:
    """Yield the share that is done, and return what `split` does; a caller can stop in between."""
    tokenizer = tokenizer or CharTokenizer.of(text)
    if isinstance(tokenizer, CharTokenizer) and not documents:
        ids = yield from tokenizer.encoding(text)
        check_length(len(ids), block_size, validation_share)
        train, _ = _parts(len(ids), validation_share)
        return Corpus(tokenizer, ids[:train], ids[train:])
    cut, characters = _parts(len(text), validation_share)
    if documents:  # never through one
        cut = document_cut(text, cut)
        characters = len(text) - cut
    learned = yield from _encoding(tokenizer, text[:cut])
    judged = yield from _encoding(tokenizer, text[cut:])
    if not _fits(len(learned), len(judged), block_size):
        raise CorpusError(
            f"the corpus has {len(learned):,} tokens to train on and {len(judged):,} for validation; a window of "
            f"{block_size} needs more",
            f"choose a longer text, a smaller tokenizer, or a block size below {len(learned)}",
        )
    return Corpus(tokenizer, learned, judged, 0 if is_of_characters(tokenizer) else characters)


def _encoding(tokenizer: Tokenizer, text: str) -> Generator[float, None, Ids]:
    """Yield the share of `text` that is encoded; return its ids."""
    if isinstance(tokenizer, CharTokenizer | BPETokenizer | ByteTokenizer | DocumentTokenizer):
        return (yield from tokenizer.encoding(text))
    return np.array(tokenizer.encode(text), dtype=id_type(tokenizer.size))


def check_length(count: int, block_size: int, validation_share: float) -> None:
    """Raise CorpusError if a text of `count` characters is too short for windows of `block_size` in both its parts."""
    train, validation = _parts(count, validation_share)
    if not _long_enough(count, block_size, validation_share):
        smaller = f", or a block size of at most {train // 2}" if train >= 2 and validation >= 2 else ""
        raise CorpusError(
            f"the corpus has {count} characters; a window of {block_size} needs at least "
            f"{_shortest(block_size, validation_share)}",
            f"choose a longer text{smaller}",
        )


def _parts(length: int, validation_share: float) -> tuple[int, int]:
    """Return how many of `length` ids are trained on, and how many are for validation."""
    cut = int(length * (1 - validation_share))
    return cut, length - cut


def _long_enough(length: int, block_size: int, validation_share: float) -> bool:
    return _fits(*_parts(length, validation_share), block_size)


def _fits(train: int, validation: int, block_size: int) -> bool:
    return train > block_size and validation >= 2


def _shortest(block_size: int, validation_share: float) -> int:
    # The parts are rounded, so a formula may be one off; it says where to start searching.
    guess = max(int((block_size + 1) / (1 - validation_share)), int(1 / validation_share))
    near = range(guess, guess + 8)
    return next((length for length in near if _long_enough(length, block_size, validation_share)), near.stop)
