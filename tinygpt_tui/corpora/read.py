"""Reads the file of a training text: checked, decoded, its characters counted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from tinygpt_tui.corpora.cache import key_of, read_cached, save_cached
from tinygpt_tui.corpora.corpus import CorpusText, Roles, cut
from tinygpt_tui.corpora.encodings import AUTO, HEAD, check_beginning, decode, looks_binary, not_a_text
from tinygpt_tui.corpora.large import UNIFORM, FileParts, TextFacts, examining, hashing
from tinygpt_tui.errors import CorpusError, storage_error
from tinygpt_tui.progress import exhausted, part
from tinygpt_tui.reading import Damage, open_file, read_json
from tinygpt_tui.tokenizers.dialogues import END_OF_TURN
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.tokenizers.ids import CharacterCounts

LARGEST_IN_MEMORY = 1 << 24  # bytes of a file: decoded it takes up to four times as much
GATHERED = ".documents"  # the suffix of a text that was gathered, in UTF-8, with a BOUNDARY behind each document
PAIRS = ".pairs"  # of one whose documents are pairs
HASHING_SHARE = 0.2  # of the time a large text takes


def read_text(path: Path, encoding: str = AUTO) -> CorpusText:
    """Read a text file; in UTF-8, or any other encoding that is recognised, converted with a note; or the one named.

    Raises CorpusError if the file is empty or not a text, StorageError if it cannot be read; UsageError if there is no
    such `encoding`.
    """
    return exhausted(reading(path, encoding))


def reading(path: Path, encoding: str = AUTO) -> Generator[float, None, CorpusText]:
    """Yield the share that is done, and return what `read_text` does; a caller can stop in between.

    A large text stays in its file, and what was found in it is saved for the next time.
    """
    gathered = path.suffix in (GATHERED, PAIRS)
    encoding = "utf-8" if gathered else encoding
    try:
        with open_file(path) as file:
            status = os.fstat(file.fileno())
            content = file.read(LARGEST_IN_MEMORY + 1)
    except FileNotFoundError:
        raise CorpusError(
            f"there is no file {path}", "check the path; `tinygpt-tui data` lists the known corpora"
        ) from None
    except IsADirectoryError:
        raise CorpusError(f"{path} is a folder", "name a text file in it") from None
    except OSError as error:
        raise storage_error(error, path) from error
    if not gathered:
        check_beginning(content, path.name, encoding)
    if len(content) > LARGEST_IN_MEMORY:
        del content
        found = yield from _large(path, (status.st_size, status.st_mtime_ns), encoding)
    else:
        found = yield from _small(path, content, encoding)
    if gathered:
        found = replace(found, roles=_roles_of(path, found))
    if not (found.documents or found.roles) and looks_binary(found.beginning(HEAD).encode("utf-8", "surrogatepass")):
        raise not_a_text(path.name)
    if len(found.counts.keys() - {"\n"}) < 2:
        raise CorpusError(
            f"{path.name} repeats one character, {min(found.counts.keys() - {chr(10)}, default=' ')!r}",
            "there is nothing to learn from it: choose another text",
        )
    return found


def _roles_of(path: Path, found: CorpusText) -> Roles | None:
    """Return the roles in a text that was gathered, which are in the file beside it. Raises CorpusError."""
    if END_OF_TURN not in found.counts:
        return None
    try:
        roles = read_json(path.with_suffix(".json"), Roles)
    except (OSError, Damage):
        roles = Roles()
    if not roles.roles:
        raise CorpusError(f"the roles in {path.name} are not known", "choose its sources again")
    return roles


def _small(path: Path, content: bytes, encoding: str) -> Generator[float, None, CorpusText]:
    text, notes, guessed = decode(content, path.name, encoding)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append(UNIFORM)
    if not text or text.isspace():
        raise CorpusError(f"{path.name} is empty", "choose a file with some text in it")
    documents = text.count(BOUNDARY) if path.suffix in (GATHERED, PAIRS) else 0
    if documents == 1:
        text, documents = text.removesuffix(BOUNDARY), 0
    counts, done = CharacterCounts(), 0
    for piece in cut((text,)):
        counts.add(piece)
        done += len(piece)
        yield done / len(text)
    sha256 = hashlib.sha256(content).hexdigest()
    return CorpusText((text,), sha256, tuple(notes), counts.by_character(), guessed, documents)


def _large(path: Path, stamp: tuple[int, int], encoding: str) -> Generator[float, None, CorpusText]:
    gathered = path.suffix in (GATHERED, PAIRS)
    sha256 = yield from part(hashing(path, stamp), 0, HASHING_SHARE)
    name = f"{key_of(sha256, encoding, gathered, path.name)}.text"
    facts = read_cached(name, TextFacts)
    if facts is None:
        facts = yield from part(examining(path, stamp, encoding, gathered=gathered), HASHING_SHARE)
        save_cached(name, facts)
    counts, documents, left_out = facts.counts, facts.documents, ""
    if all(character.isspace() for character in counts):
        raise CorpusError(f"{path.name} is empty", "choose a file with some text in it")
    if documents == 1:
        documents, left_out = 0, BOUNDARY
        counts = {character: count for character, count in counts.items() if character != BOUNDARY}
    parts = FileParts(path, stamp, facts.codec, facts.errors, left_out)
    key = key_of(sha256, facts.codec, facts.errors, documents)
    return CorpusText(parts, sha256, tuple(facts.notes), counts, facts.guessed, documents, key=key)


def is_pairs(path: str) -> bool:
    """Whether the documents of the text at `path` are pairs."""
    return Path(path).suffix == PAIRS


def sha256_of(path: Path) -> str:
    """Return the hash by which a run identifies its text. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
