"""Reads the file of a training text: checked, decoded, its characters counted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from pathlib import Path

import psutil

from tinygpt_tui.corpora.corpus import CorpusText, cut
from tinygpt_tui.corpora.encodings import AUTO, HEAD, check_beginning, decode, looks_binary, not_a_text
from tinygpt_tui.errors import CorpusError, storage_error
from tinygpt_tui.progress import exhausted
from tinygpt_tui.reading import open_file
from tinygpt_tui.tokenizers.char import CharacterCounts
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.words import size

BYTES_AT_ONCE = 1 << 22
GATHERED = ".documents"  # the suffix of a text that was gathered, in UTF-8, with a BOUNDARY behind each document
COPIES_IN_MEMORY = 2  # of the file at least: its bytes, and its characters
READING_SHARE = 0.3  # of the time a text takes; the rest is for counting its characters


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
    counts, done = CharacterCounts(), 0
    for piece in cut((text,)):
        counts.add(piece)
        done += len(piece)
        yield READING_SHARE + (1 - READING_SHARE) * done / len(text)
    by_character = counts.by_character()
    if len(by_character.keys() - {"\n"}) < 2:
        raise CorpusError(
            f"{path.name} repeats one character, {min(by_character.keys() - {chr(10)}, default=' ')!r}",
            "there is nothing to learn from it: choose another text",
        )
    return CorpusText((text,), digest.hexdigest(), tuple(notes), by_character, guessed, documents)


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
