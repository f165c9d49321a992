"""Keeps recently used models and snapshots in memory; each is opened again if its file has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import Generic, TypeVar

from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.workers.current_weights import WeightsNow, weights_now
from tinygpt_tui.workers.models import OpenedModel, open_model, open_now

K = TypeVar("K", bound=Hashable)
S = TypeVar("S")
V = TypeVar("V")

OPEN_MODELS = 6  # at most this many stay in memory


class LRUCache(Generic[K, S, V]):
    """A cache of values, each with the state of the file that it was opened from; the least recently used one goes.

    Threads may open different keys at the same time, but one key only one at a time.
    """

    def __init__(self, too_much: Callable[[Collection[V]], bool]) -> None:
        """The least recently used values go while it is `too_much`; the last one always stays."""
        self._too_much = too_much
        self._cached: dict[K, tuple[S, V]] = {}  # the last used one is the last
        self._lock = threading.Lock()  # not held while something is opened

    def open(self, key: K, state: S, opening: Callable[[], V]) -> tuple[V, bool]:
        """Return the value of `key` in this state, from the cache or from `opening`, and whether it was cached."""
        with self._lock:
            cached = self._cached.pop(key, None)
        found = cached is not None and cached[0] == state
        if cached is None or not found:
            cached = (state, opening())
        with self._lock:
            self._cached[key] = cached
            while len(self._cached) > 1 and self._too_much([value for _, value in self._cached.values()]):
                del self._cached[next(iter(self._cached))]
        return cached[1], found


class ModelCache:
    """Opens a model once for all jobs; for threads see LRUCache."""

    def __init__(self, device: str = AUTO) -> None:
        """`device` is where the models compute; see settings/computing.py."""
        self._device = device
        self._models = LRUCache[tuple[Path, bool], WeightsNow, OpenedModel](lambda models: len(models) > OPEN_MODELS)

    def open(self, path: Path, *, untrained: bool = False) -> OpenedModel:
        """Return the model at `path`, with its newest weights if it is in training; see `open_model`.

        Raises CheckpointError.
        """
        return self.open_or_find(path, untrained=untrained)[0]

    def open_or_find(self, path: Path, *, untrained: bool = False) -> tuple[OpenedModel, bool]:
        """Return the model, and whether it was open already. Raises CheckpointError."""
        now, device = weights_now(path), self._device

        def opening() -> OpenedModel:
            return open_model(path, untrained=True, device=device) if untrained else open_now(path, now, device)

        return self._models.open((path, untrained), now, opening)
