"""The list of models, read from disk again and again; fast, and made for a thread."""

from __future__ import annotations

import threading
from pathlib import Path

from tinygpt_tui.checkpoints.card import ModelCard, card_of, is_native

FIRST_CHOICE = "shakespeare"
MARKS = {"starting": "●", "running": "●", "paused": "‖"}


class ModelList:
    """`cards` are all models, also those without weights yet; `live` marks those in training, by path."""

    def __init__(self) -> None:
        self.cards: list[ModelCard] = []
        self.live: dict[str, str] = {}
        self.loaded = False
        self._visitors: dict[Path, ModelCard] = {}
        self._refreshing = threading.Lock()

    def visit(self, path: Path) -> ModelCard:
        """Add a model from any path until the app ends; its card has the problem if it cannot be opened."""
        from tinygpt_tui.checkpoints.foreign_card import foreign_card

        card = card_of(path, "yours") if is_native(path) else foreign_card(path)
        if not card.problem:
            if card.is_mix:  # the last one is enough
                self._visitors = {known: one for known, one in self._visitors.items() if not one.is_mix}
            self._visitors[path] = card
        return card

    def refresh(self) -> bool:
        """Read the models again; return whether the list changed (the first time it has).

        A second thread waits for the first.
        """
        with self._refreshing:
            return self._refresh()

    def _refresh(self) -> bool:
        from tinygpt_tui.checkpoints.library import in_order, list_models
        from tinygpt_tui.runs.index import list_runs

        cards, runs = list_models(), [run for run in list_runs() if run.live]
        live = {run.path: f"{MARKS[run.state]} {100 * run.step // max(1, run.steps)}%" for run in runs}
        known = {card.path for card in cards}
        # A run that has just started has no model yet, but its user looks for it here.
        started = [run for run in runs if run.path not in known]
        cards += [
            ModelCard(name=run.name, path=run.path, origin=run.origin, problem="no weights yet") for run in started
        ]
        cards += [self.visit(path) for path in list(self._visitors) if str(path) not in known and path.exists()]
        cards = in_order(cards)
        new = not self.loaded or (cards, live) != (self.cards, self.live)
        self.cards, self.live, self.loaded = cards, live, True
        return new


def default_model(cards: list[ModelCard], preferred: str) -> ModelCard | None:
    """Return the model to start with: the preferred one, the bundled one, or the first usable one."""
    usable = [card for card in cards if not card.problem]
    for name in (preferred, FIRST_CHOICE):
        for card in usable:
            if card.name == name:
                return card
    return usable[0] if usable else None
