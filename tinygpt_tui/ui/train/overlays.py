"""What a run can be compared with: other runs and published results. It knows nothing of Textual."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs.facts import FactsReader, RunFacts
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.ghosts import CORPUS, GHOSTS, Overlay
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.ui.train.run_list import OTHER_TEXT

GHOST = "ghost:"


@dataclass(frozen=True)
class Offer:
    """A curve that can be added to a chart; `key` is for `overlay_of`."""

    key: str
    name: str
    about: str


def offers(path: str, corpus: str) -> list[Offer]:
    """Return what the run in `path`, of that corpus, can be compared with; what was trained on the same text first."""
    rows = [row for row in FactsReader().read() if row.card.path != path]
    same = [row for row in rows if row.card.corpus == corpus]
    other = [row for row in rows if row.card.corpus != corpus]
    published = [Offer(GHOST + name, name, f"published: {ghost.about}") for name, ghost in GHOSTS.items()]
    own = [_offer(row) for row in same]
    others = [_offer(row, OTHER_TEXT) for row in other]
    return [*own, *published, *others] if corpus == CORPUS else [*own, *others, *published]


def overlays_of(keys: Collection[str]) -> list[Overlay]:
    """Return the curves of the keys, without runs that no longer exist."""
    found = [overlay_of(key) for key in keys]
    return [overlay for overlay in found if overlay is not None]


def overlay_of(key: str) -> Overlay | None:
    """Return the curve of a run's validation losses, or a published one."""
    if key.startswith(GHOST):
        ghost = GHOSTS.get(key.removeprefix(GHOST))
        return ghost.overlay if ghost else None
    run = RunFolder(Path(key))
    try:
        run.read_settings()
    except TinyGPTError:
        return None
    history = RunHistory()
    history.add(read_journal(run.events))
    steps, losses = history.validation_losses
    return Overlay(run.model.name, steps.copy(), losses.copy()) if len(steps) else None


def _offer(row: RunFacts, mark: str = "") -> Offer:
    card, best = row.card, row.reached.best_loss
    loss = f"{mark}{best:.4f}" if best is not None else "–"
    return Offer(card.path, card.name, f"{loss} after {card.step:,} steps on {card.corpus}")
