"""The columns of the table of runs, its order, and what is shown about a run. It knows nothing of Textual."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tinygpt_tui.runs.facts import RunFacts, bytes_of
from tinygpt_tui.ui.train.run_list import OTHER_TEXT
from tinygpt_tui.words import loss_words, parameters, right_words, shortened, size

NOTHING = "–"
NARROW = 100  # columns of the terminal below which some columns are left out
SIGNS = {"running": "▶", "starting": "◌", "paused": "‖", "finished": "✓", "stopped": "■", "failed": "✗"}
UP, DOWN = "▲", "▼"
WORTH_SHOWING = 1_000_000  # bytes that a run takes


class Column(NamedTuple):
    """One column: its title, a cell's text, the key that rows are sorted by, and whether low or high comes first.

    A `wide` one is left out on narrow terminals.
    """

    title: str
    text: Callable[[RunFacts, bool], str]
    key: Callable[[RunFacts], Any]
    falls: bool = False
    right: bool = False
    wide: bool = False


def _steps(facts: RunFacts, narrow: bool) -> str:
    card = facts.card
    if card.live and card.steps:
        return f"{card.step:,} {100 * card.step // card.steps}%"
    return f"{card.step:,}" if narrow or card.step == card.steps else f"{card.step:,}/{card.steps:,}"


def _loss(facts: RunFacts, narrow: bool) -> str:
    loss = facts.reached.best_loss
    if loss is None:
        return NOTHING
    right = facts.reached.right
    return loss_words(loss, facts.reached.best_tokens) + ("" if right is None or narrow else f" {right:.0%}")


def _started(facts: RunFacts, narrow: bool) -> str:
    return time.strftime("%d %b %H:%M", time.localtime(facts.card.created))


def _size(facts: RunFacts, narrow: bool) -> str:
    return parameters(facts.reached.parameters) if facts.reached.parameters else NOTHING


def span(seconds: float) -> str:
    """A span of time in at most six cells: `50 s`, `27 min`, `3.2 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


COLUMNS: dict[str, Column] = {
    "name": Column("name", lambda f, n: shortened(f.card.name, 17 if n else 26), lambda f: f.card.name.lower()),
    "state": Column(
        "state", lambda f, n: f"{SIGNS[f.card.state]} {f.card.state}", lambda f: (not f.card.live, f.card.state)
    ),
    "steps": Column("steps", _steps, lambda f: f.card.step, falls=True, right=True),
    "loss": Column("best", _loss, lambda f: (f.reached.best_loss is None, f.reached.best_loss or 0.0), right=True),
    "parameters": Column("size", _size, lambda f: f.reached.parameters, falls=True, right=True),
    "time": Column("time", lambda f, n: span(f.reached.elapsed_s), lambda f: f.reached.elapsed_s, right=True),
    "corpus": Column("text", lambda f, n: shortened(f.card.corpus, 11 if n else 20), lambda f: f.card.corpus.lower()),
    "preset": Column("preset", lambda f, n: f.card.preset or NOTHING, lambda f: f.card.preset, wide=True),
    "started": Column("started", _started, lambda f: f.card.created, falls=True, wide=True),
}


def columns_for(width: int) -> list[str]:
    return [name for name, column in COLUMNS.items() if width >= NARROW or not column.wide]


def in_order(facts: Sequence[RunFacts], by: str | None, is_reversed: bool) -> list[RunFacts]:
    """Return the runs sorted `by` a column, the best or newest first unless `is_reversed`; None: as they are."""
    if by is None:
        return list(facts)
    column = COLUMNS[by]
    return sorted(facts, key=column.key, reverse=column.falls != is_reversed)


def title_of(name: str, by: str | None, is_reversed: bool, number: int) -> str:
    """Return a column's title with the number that sorts by it, or with the direction it is sorted in."""
    column = COLUMNS[name]
    mark = (DOWN if column.falls != is_reversed else UP) if name == by else str(number)
    return f"{column.title} {mark}"


def about(facts: RunFacts, *, explain_mark: bool = False) -> str:
    """Return two lines: what the run has reached and saved; its error, its notes, or where it is.

    `explain_mark`: say what the mark before other runs' losses means.
    """
    card, reached = facts.card, facts.reached
    best = f"best at step {reached.best_step:,}" if reached.best_loss is not None else "not evaluated yet"
    best += f" (on {reached.best_tokens:,} tokens)" if reached.best_tokens else ""
    if reached.best_loss is not None and reached.characters_per_token != 1.0:
        bits, per_token = reached.best_loss / math.log(2), reached.best_loss * reached.characters_per_token
        best += f", {bits:.3f} bits; {per_token:.3f} a token"
    best += "" if reached.right is None else f", {right_words(reached.right)}"
    saved = f"{facts.moments or 'no'} snapshots in its history"
    taken = bytes_of(Path(card.path))
    if taken >= WORTH_SHOWING:
        saved += f" · {size(taken)} on disk"
    where = "came with the program" if card.origin == "shipped" else f"in {card.path}"
    notes = " ".join(facts.notes.split())
    mark = f"{OTHER_TEXT}: a loss on another text · " if explain_mark else ""
    return f"{card.name}: {best} · {saved}\n{mark}{card.message or notes or where}"
