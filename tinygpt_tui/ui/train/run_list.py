"""All runs, as the Train tab finds them. It knows nothing of Textual."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.runs.index import RunCard, list_runs

OTHER_TEXT = "≠"  # before a loss of another text, which cannot be compared


def live_runs() -> list[RunCard]:
    """Return the runs that are training now, the newest first."""
    return [card for card in list_runs() if card.live]


def moved_to(run: Path, created: float) -> Path | None:
    """Return the new folder of the run created at that time if it is no longer in `run`: it may have been renamed."""
    if run.is_dir():
        return None
    return next((Path(card.path) for card in list_runs() if card.created == created), None)
