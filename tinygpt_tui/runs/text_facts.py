"""What a form needs to know of a text before a run trains on it; no torch."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui.corpora.corpus import Roles
from tinygpt_tui.corpora.formats import AS_IT_IS, Choices
from tinygpt_tui.corpora.gathering import gathering, is_gathered
from tinygpt_tui.corpora.read import reading
from tinygpt_tui.runs.folder import CorpusReference


@dataclass(frozen=True)
class CorpusFacts:
    """The facts of a text that was read; `notes` say what had to be done to read it."""

    reference: CorpusReference
    vocab_size: int
    notes: tuple[str, ...] = ()
    rare: str = ""  # the characters that occur only once
    characters: str = ""  # all of them, each once
    counts: tuple[int, ...] = ()  # how often each of them occurs
    guessed: bool = False  # the encoding
    text_bytes: int = 0  # in UTF-8
    field: str = ""  # of its records that is the text; empty: they have none
    fields: tuple[str, ...] = ()  # all that could be
    roles: Roles | None = None  # of the turns, if it is conversations
    documents: int = 0  # 0: it is one text


def reading_facts(
    path: Path, name: str, entropy: float | None = None, choices: Choices = AS_IT_IS
) -> Generator[float, None, CorpusFacts]:
    """Yield the share of a text that is read so far; return its facts. Raises CorpusError, StorageError."""
    encoding, understood, field = choices.encoding, list[str](), ""
    fields: tuple[str, ...] = ()
    if is_gathered(str(path)) or choices != Choices(encoding):
        gathered = yield from gathering([str(path)], choices)
        path, name, understood, field = Path(gathered.path), gathered.name, gathered.words(), gathered.field
        fields = (*gathered.fields,)
    found = yield from reading(path, encoding)
    reference = CorpusReference(
        name=name,
        path=str(path.resolve()),
        sha256=found.sha256,
        characters=found.characters,
        entropy=entropy,
        encoding=encoding,
    )
    rare = "".join(sorted(character for character, count in found.counts.items() if count == 1))
    text_bytes = sum(len(one.encode("utf-8", "surrogatepass")) * count for one, count in found.counts.items())
    notes = (*understood, *found.notes)
    size, guessed = len(found.counts), found.guessed
    counts = tuple(found.counts[character] for character in found.alphabet)
    return CorpusFacts(
        reference,
        size,
        notes,
        rare,
        found.alphabet,
        counts,
        guessed,
        text_bytes,
        field,
        fields,
        found.roles,
        found.documents,
    )
