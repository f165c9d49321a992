"""Texts by which a checkpoint is judged: the user's, those of the catalogue that are here, and shipped pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui import paths
from tinygpt_tui.corpora.catalog import CATALOG, CatalogRow, find_corpus, list_corpora
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.reading import decode_toml, open_file, read_bytes
from tinygpt_tui.tokenizers.base import Tokenizer

FOLDER = "calibration"
CHARACTERS = 6000  # of each text are looked at
MOST_TEXTS = 12
LARGEST_VOCABULARY_FILE = 16 << 20
LEAST_KNOWN = 0.98  # share of a text's characters that the vocabulary must have
LEAST_KNOWN_OF_GIVEN = 0.5  # of a text that the user names
FEWEST_DOCUMENTS = 12


@dataclass(frozen=True)
class CalibrationText:
    """A piece of a text, and what to call it."""

    name: str
    text: str
    given: bool = False  # by the user


def calibration_texts(corpus: str = "") -> list[CalibrationText]:
    """Return pieces of the texts that are on this machine; of `corpus` alone (a name or a path) where one is given.

    Raises NotFoundError and CorpusError for a corpus that is not there.
    """
    if corpus:
        entry = find_corpus(corpus)
        return [CalibrationText(entry.name, _piece(Path(entry.path)), given=True)] if entry.path else []
    found = [*_shipped(), *_on_disk()]
    return [text for text in found[:MOST_TEXTS] if len(text.text) > 1]


def text_at(path: Path) -> CalibrationText:
    """Return a piece of the text at `path`; an empty one where it cannot be read."""
    return CalibrationText(path.name, _piece(path))


def known_share(tokenizer: Tokenizer, text: str) -> float:
    unknown = set(tokenizer.unknown_in(text))
    return 1 - sum(text.count(character) for character in unknown) / max(1, len(text))


def documents(text: str, longest: int) -> list[str]:
    """Return the documents of a piece of a text, whole: its lines where most are shorter than `longest` characters,
    else what is between blank lines. Empty where there are too few.
    """
    for separator in ("\n", "\n\n"):
        inside = [document for document in text.split(separator)[1:-1] if document.strip()]
        short = sum(len(document) < longest for document in inside)
        if len(inside) >= FEWEST_DOCUMENTS and (separator == "\n\n" or 2 * short > len(inside)):
            return inside
    return []


def character_sets(size: int, corpus: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and sorted characters of each text on this machine that has exactly `size` different ones."""
    entries = [find_corpus(corpus)] if corpus else list_corpora()
    for entry in entries[:MOST_TEXTS]:
        if entry.path is None or entry.row.bytes > LARGEST_VOCABULARY_FILE:
            continue
        try:
            characters = "".join(sorted(set(read_bytes(Path(entry.path), LARGEST_VOCABULARY_FILE).decode("utf-8"))))
        except (OSError, UnicodeDecodeError):
            continue
        if len(characters) == size:
            yield entry.name, characters


def _shipped() -> Iterator[CalibrationText]:
    folder = paths.shipped_data() / FOLDER
    try:
        rows = decode_toml((folder / CATALOG).read_bytes(), dict[str, CatalogRow])
    except OSError:
        return
    for row in rows.values():
        yield CalibrationText(row.title, _piece(folder / row.file))


def _on_disk() -> Iterator[CalibrationText]:
    try:
        entries = list_corpora()
    except (OSError, TinyGPTError):
        return
    for entry in entries:
        if entry.path is not None:
            yield CalibrationText(entry.row.title, _piece(Path(entry.path)))


def _piece(path: Path) -> str:
    """Return a piece from the middle of a text, whole characters; nothing where it cannot be read."""
    try:
        size = path.stat().st_size
        with open_file(path) as file:
            file.seek(max(0, size // 2 - 2 * CHARACTERS))
            content = file.read(4 * CHARACTERS)
    except OSError:
        return ""
    return content.decode("utf-8", "ignore").replace("\r\n", "\n")[:CHARACTERS]
