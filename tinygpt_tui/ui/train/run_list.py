"""All runs with the best loss of each, as the list of runs shows them. It knows nothing of Textual."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs.index import RunCard, list_runs

OTHER_TEXT = "≠"  # before a loss of another text, which cannot be compared


class RunRow(NamedTuple):
    """A card, the best saved weights' loss per character, and on how many tokens it was measured (0: all)."""

    card: RunCard
    best_loss: float | None
    best_tokens: int = 0


def run_rows() -> list[RunRow]:
    """Return all runs, the live ones first, then the newest."""
    rows = [RunRow(card, *_best_loss(card)) for card in list_runs()]
    return sorted(rows, key=lambda row: not row.card.live)


def live_runs() -> list[RunCard]:
    """Return the runs that are training now, the newest first."""
    return [card for card in list_runs() if card.live]


def moved_to(run: Path, created: float) -> Path | None:
    """Return the new folder of the run created at that time if it is no longer in `run`: it may have been renamed."""
    if run.is_dir():
        return None
    return next((Path(card.path) for card in list_runs() if card.created == created), None)


def _best_loss(card: RunCard) -> tuple[float | None, int]:
    try:
        trained = read_config(Path(card.path)).trained
    except TinyGPTError:
        return None, 0
    return (trained.loss_per_character, trained.tokens) if trained else (None, 0)
