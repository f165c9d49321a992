"""The models that can be requested, and those that are open.

A request names a model, never a path: its text is only compared with the names of the models.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tinygpt_tui.checkpoints.card import NEEDS_TORCH, ModelCard
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.workers.model_cache import ModelCache
from tinygpt_tui.workers.models import OpenedModel

REFRESH_S = 1.0  # after which the folders are read again
FIRST_LIST_S = 30.0  # to wait for the first list
LIST_S = 2.0  # to wait for a newer list; a file that takes longer to read delays no other model


class ServedModels:
    """Safe to use from several threads: a model that is slow to open or to list delays no other one."""

    def __init__(self, device: str = AUTO) -> None:
        """`device` is where the models compute; see settings/computing.py."""
        self._lock = threading.Lock()  # for the attributes; never held while a file is read
        self._cards: dict[str, ModelCard] | None = None
        self._listed_at = -REFRESH_S
        self._listing: threading.Event | None = None
        self._models = ModelCache(device)
        self._opening: dict[str, threading.Lock] = {}

    def cards(self) -> list[ModelCard]:
        """Return the cards of the models that can be used, by name."""
        return [card for card in self._listed().values() if not card.problem]

    def open(self, name: str) -> OpenedModel:
        """Return the model with this name; it is read again if there are newer weights (a model in training).

        Raises NotFoundError, CheckpointError, MissingPackageError.
        """
        cards = self._listed()
        card = cards.get(name)
        if card is None:
            there = ", ".join(one.name for one in cards.values() if not one.problem)
            raise NotFoundError(
                f"no model is called {name!r}", f"choose one of {there}" if there else "train or open one first"
            )
        with self._lock:
            opening = self._opening.setdefault(name, threading.Lock())
        with opening:  # several requests for one model read its file once
            return self._models.open(Path(card.path))

    def _listed(self) -> dict[str, ModelCard]:
        with self._lock:
            if time.monotonic() - self._listed_at >= REFRESH_S and self._listing is None:
                self._listing = threading.Event()
                threading.Thread(target=self._list, args=(self._listing,), name="model list", daemon=True).start()
            listing, known = self._listing, self._cards
        if listing is not None:
            listing.wait(FIRST_LIST_S if known is None else LIST_S)
        with self._lock:
            return self._cards or {}

    def _list(self, listing: threading.Event) -> None:
        try:
            cards = {card.name: card for card in list_models() if card.problem in ("", NEEDS_TORCH)}
            with self._lock:
                self._cards, self._listed_at = cards, time.monotonic()
        finally:
            with self._lock:
                self._listing = None
            listing.set()
