"""The models that may be asked for, and those that are open.

A request names a model, and never a place: its word is looked up among the names there are, and is nothing else.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.workers.kept import KeptModels
from tinygpt_tui.workers.opened import OpenedModel

LOOK_AGAIN_S = 1.0  # after which the folders are read again


class Shelf:
    """Safe to use from several threads. The thread that opens a model lets others wait, but not who writes already."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cards: dict[str, ModelCard] = {}
        self._looked_at = -LOOK_AGAIN_S
        self._models = KeptModels()

    def cards(self) -> list[ModelCard]:
        """Return the cards of the models that can be used, by name."""
        with self._lock:
            return list(self._looked().values())

    def open(self, name: str) -> OpenedModel:
        """Return the model of this name; read again where there are newer weights (a model in training).

        Raises NotFoundError, CheckpointError.
        """
        with self._lock:
            card = self._looked().get(name)
            if card is None:
                there = ", ".join(self._cards)
                raise NotFoundError(f"no model is called {name!r}", f"there is {there}" if there else "there is none")
            return self._models.open(Path(card.path))

    def _looked(self) -> dict[str, ModelCard]:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_AGAIN_S:
            self._cards = {card.name: card for card in list_models() if not card.problem}
            self._looked_at = now
        return self._cards
