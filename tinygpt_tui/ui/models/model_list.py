"""The models there are, looked at again and again; cheap, and made for a thread."""

from __future__ import annotations

import threading
from pathlib import Path

from tinygpt_tui.checkpoints.card import ModelCard, card_of, is_native
from tinygpt_tui.checkpoints.foreign_card import foreign_card
from tinygpt_tui.checkpoints.library import list_models

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
        """Take in a model from anywhere, for as long as the app runs; its card says where it cannot be opened."""
        card = card_of(path, "yours") if is_native(path) else foreign_card(path)
        if not card.problem:
            self._visitors[path] = card
        return card

    def refresh(self) -> bool:
        """Look again; return whether there is something to show, which the first time there is.

        A second thread waits until the first has looked.
        """
        with self._refreshing:
            return self._refresh()

    def _refresh(self) -> bool:
        from tinygpt_tui.runs.index import list_runs

        cards, runs = list_models(), [run for run in list_runs() if run.live]
        live = {run.path: f"{MARKS[run.state]} {100 * run.step // max(1, run.steps)}%" for run in runs}
        known = {card.path for card in cards}
        # A training that has just begun is no model yet, but whoever began it looks for it here.
        begun = [run for run in runs if run.path not in known]
        cards += [ModelCard(name=run.name, path=run.path, origin=run.origin, problem="no weights yet") for run in begun]
        cards += [self.visit(path) for path in list(self._visitors) if str(path) not in known and path.exists()]
        cards.sort(key=lambda card: card.name)
        new = not self.loaded or (cards, live) != (self.cards, self.live)
        self.cards, self.live, self.loaded = cards, live, True
        return new


def default_model(cards: list[ModelCard], wish: str) -> ModelCard | None:
    """Return the model to begin with: the wish, or the one that comes with the program, or the first usable one."""
    usable = [card for card in cards if not card.problem]
    for name in (wish, FIRST_CHOICE):
        for card in usable:
            if card.name == name:
                return card
    return usable[0] if usable else None
