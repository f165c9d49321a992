"""The table of runs as it is shown: its columns, their order, and a run's cells. It knows nothing of Textual."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tinygpt_tui.runs.facts import RunFacts
from tinygpt_tui.words import loss_words, parameters, shortened

NOTHING = "–"
NARROW = 100  # columns of the terminal below which some columns give way
SIGNS = {"running": "▶", "starting": "◌", "paused": "‖", "finished": "✓", "stopped": "■", "failed": "✗"}
UP, DOWN = "▲", "▼"


class Column(NamedTuple):
    """One column: its title, what a cell says, what rows are sorted by, and whether few or many come first.

    A `wide` one is left out where there is little room.
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
    return NOTHING if loss is None else loss_words(loss, facts.reached.best_tokens)


def _begun(facts: RunFacts, narrow: bool) -> str:
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
    "begun": Column("begun", _begun, lambda f: f.card.created, falls=True, wide=True),
}


def columns_for(width: int) -> list[str]:
    """Return the columns that a terminal so wide shows."""
    return [name for name, column in COLUMNS.items() if width >= NARROW or not column.wide]


def in_order(facts: Sequence[RunFacts], by: str | None, turned: bool) -> list[RunFacts]:
    """Return the runs sorted `by` a column, the best or newest first, or `turned` round; None: as they come."""
    if by is None:
        return list(facts)
    column = COLUMNS[by]
    return sorted(facts, key=column.key, reverse=column.falls != turned)


def title_of(name: str, by: str | None, turned: bool, number: int) -> str:
    """Return a column's title with the number that sorts by it, or with the way it is sorted."""
    column = COLUMNS[name]
    mark = (DOWN if column.falls != turned else UP) if name == by else str(number)
    return f"{column.title} {mark}"
