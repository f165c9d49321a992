"""Read a text for a command, with progress on stderr if it takes longer than a second."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

from tinygpt_tui.cli.data import fetch
from tinygpt_tui.cli.flags import text_argument
from tinygpt_tui.cli.output import can_draw, notify
from tinygpt_tui.corpora.catalog import CorpusEntry, find_corpus, is_address, require_corpus
from tinygpt_tui.corpora.conversations import listed, looks_like_a_play, roles_in
from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.corpora.encodings import AUTO, check_encoding
from tinygpt_tui.corpora.formats import Choices
from tinygpt_tui.corpora.gathering import gathering, is_gathered
from tinygpt_tui.corpora.read import reading
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.words import duration

R = TypeVar("R")
FIRST_S, EACH_S = 1.0, 0.2
PLAY_BEGINS = 1 << 17  # characters in which names are looked for


def read_corpus_text(path: Path, encoding: str = AUTO) -> CorpusText:
    """Read a text file. Raises CorpusError, StorageError; UsageError for an unknown encoding."""
    if encoding != AUTO:
        check_encoding(encoding)  # before a large file is read
    return with_progress(reading(path, encoding), f"reading {path.name}")


def open_corpus(arguments: argparse.Namespace) -> tuple[CorpusEntry, CorpusText]:
    """Return the corpus that the flags name and its text; of one that was gathered, say what was understood.

    An address is downloaded once. Raises NotFoundError, CorpusError, DownloadError, StorageError, UsageError.
    """
    for name in arguments.corpus:
        if is_address(name) and not find_corpus(name).here:
            fetch(name)
    found = [require_corpus(name) for name in arguments.corpus]
    entry, path = found[0]
    choices = Choices(
        arguments.encoding,
        arguments.field,
        arguments.documents,
        arguments.turns,
        roles_in(text_argument(arguments.replies)),
        leave_out=(*arguments.leave_out,),
    )
    choices = choices.or_else(entry.row.documents)
    if len(found) > 1 or is_gathered(str(path)) or choices != Choices(arguments.encoding):
        if arguments.encoding != AUTO:
            check_encoding(arguments.encoding)
        sources = [str(source) for _, source in found]
        gathered = with_progress(gathering(sources, choices), "gathering the text")
        for line in gathered.words():
            notify(line)
        entry, path = find_corpus(gathered.path), Path(gathered.path)
    text = read_corpus_text(path, arguments.encoding)
    if text.roles and path == found[0][1]:  # it was gathered before
        notify("; ".join(text.roles.words(text.documents)))
    if entry.own and arguments.turns == "auto" and (names := looks_like_a_play(text.beginning(PLAY_BEGINS))):
        notify(f"lines begin with {listed(names, 3)}: --turns play makes turns of them, with a token for each role")
    return entry, text


def encode(text: CorpusText, training: TrainingSettings, tokenizer: Tokenizer | None = None) -> Corpus:
    """Encode a text as the ids of a corpus. Raises CorpusError."""
    return with_progress(text.splitting(training, tokenizer), "encoding the text")


def with_progress(steps: Generator[float, None, R], what: str) -> R:
    """Exhaust `steps`, which yield the share that is done; return what they return."""
    began = time.monotonic()
    next_at = began + FIRST_S
    shown = False
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            if shown:
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            return end.value  # type: ignore[no-any-return]
        if time.monotonic() > next_at and can_draw(sys.stderr):
            next_at, shown = time.monotonic() + EACH_S, True
            left = f", {duration((time.monotonic() - began) * (1 - share) / share)} left" if share else ""
            print(f"\r{what}  {share:.0%}{left}\x1b[K", end="", file=sys.stderr, flush=True)
