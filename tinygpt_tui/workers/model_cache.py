"""What was opened last stays open: models, nets, moments of a run; each is opened again where its file has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import Generic, TypeVar

from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.workers.models import OpenedModel, WeightsNow, open_model, open_now, weights_now

K = TypeVar("K", bound=Hashable)
S = TypeVar("S")
V = TypeVar("V")

OPEN_MODELS = 6  # kept in memory; the one unused longest goes first


class LRUCache(Generic[K, S, V]):
    """Keeps what was used last, each with the state of the file that it was opened from.

    Threads may open different keys at the same time; one key is for one thread at a time.
    """

    def __init__(self, too_much: Callable[[Collection[V]], bool]) -> None:
        """The ones unused longest go while it is `too_much`; the one used last always stays."""
        self._too_much = too_much
        self._kept: dict[K, tuple[S, V]] = {}  # the one used last is the last
        self._lock = threading.Lock()  # not held while something is opened

    def open(self, key: K, state: S, opening: Callable[[], V]) -> tuple[V, bool]:
        """Return what is kept under `key`, or else what `opening` returns, and whether it was kept in this state."""
        with self._lock:
            kept = self._kept.pop(key, None)
        found = kept is not None and kept[0] == state
        if kept is None or not found:
            kept = (state, opening())
        with self._lock:
            self._kept[key] = kept
            while len(self._kept) > 1 and self._too_much([value for _, value in self._kept.values()]):
                del self._kept[next(iter(self._kept))]
        return kept[1], found


class ModelCache:
    """Opens a model once for all who use it; as for threads, see LRUCache."""

    def __init__(self, device: str = AUTO) -> None:
        """`device` is where the models compute; see settings/computing.py."""
        self._device = device
        self._models = LRUCache[tuple[Path, bool], WeightsNow, OpenedModel](lambda models: len(models) > OPEN_MODELS)

    def open(self, path: Path, *, untrained: bool = False) -> OpenedModel:
        """Return the model at `path`, with its newest weights where it is in training; see `open_model`.

        Raises CheckpointError.
        """
        return self.open_or_find(path, untrained=untrained)[0]

    def open_or_find(self, path: Path, *, untrained: bool = False) -> tuple[OpenedModel, bool]:
        """Return the model, and whether it was open already. Raises CheckpointError."""
        now, device = weights_now(path), self._device

        def opening() -> OpenedModel:
            return open_model(path, untrained=True, device=device) if untrained else open_now(path, now, device)

        return self._models.open((path, untrained), now, opening)
