"""What a form needs to know of a text before a run trains on it; no torch."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui.corpora.corpus import reading
from tinygpt_tui.corpora.encodings import AUTO
from tinygpt_tui.corpora.formats import Choices
from tinygpt_tui.corpora.gathering import gathering, is_gathered
from tinygpt_tui.runs.folder import CorpusReference


@dataclass(frozen=True)
class CorpusFacts:
    """The facts of a text that was read; `notes` say what had to be done to read it."""

    reference: CorpusReference
    vocab_size: int
    notes: tuple[str, ...] = ()
    rare: str = ""  # the characters that occur only once
    characters: str = ""  # all of them, each once
    guessed: bool = False  # the encoding
    text_bytes: int = 0  # in UTF-8


def reading_facts(
    path: Path, name: str, entropy: float | None = None, encoding: str = AUTO
) -> Generator[float, None, CorpusFacts]:
    """Yield the share of a text that is read so far; return its facts. Raises CorpusError, StorageError."""
    understood: list[str] = []
    if is_gathered(str(path)):
        gathered = yield from gathering([str(path)], Choices(encoding))
        path, name, understood = Path(gathered.path), gathered.name, gathered.words()
    found = yield from reading(path, encoding)
    reference = CorpusReference(
        name=name,
        path=str(path.resolve()),
        sha256=found.sha256,
        characters=len(found.text),
        entropy=entropy,
        encoding=encoding,
    )
    rare = "".join(sorted(character for character, count in found.counts.items() if count == 1))
    text_bytes = sum(len(one.encode("utf-8", "surrogatepass")) * count for one, count in found.counts.items())
    characters = "".join(sorted(found.counts))
    return CorpusFacts(
        reference, len(found.counts), (*understood, *found.notes), rare, characters, found.guessed, text_bytes
    )
