"""Where the text of a run is: where it was, or where the catalogue has it; no torch."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.corpora.catalog import list_corpora
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.files import is_file
from tinygpt_tui.runs.folder import CorpusReference


def is_here(corpus: CorpusReference) -> bool:
    """Whether the text of a run seems to be on this machine."""
    return bool(places_of(corpus))


def places_of(corpus: CorpusReference) -> list[Path]:
    """Return the files that may be the text of a run."""
    # A shipped run knows only the name of its file.
    own = [Path(corpus.path)] if Path(corpus.path).is_absolute() else []
    known = [Path(entry.path) for entry in list_corpora() if entry.path and entry.row.sha256 == corpus.sha256]
    return [path for path in [*own, *known] if is_file(path)]


def text_of(corpus: CorpusReference) -> CorpusText:
    """Read the text of a run, where it was or where the catalogue has it. Raises NotFoundError, CorpusError."""
    for path in places_of(corpus):
        text = read_text(path, corpus.encoding)
        if corpus.sha256 in ("", text.sha256):
            return text
    raise NotFoundError(f"the text {corpus.name} is not on this machine", f"put it back: {corpus.path}")
