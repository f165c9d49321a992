"""Groups frequent events into batches: tokens and steps wait for the next frame, every other event is sent at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

E = TypeVar("E")


class Pump(Generic[E]):
    """Collects events and returns a batch when one is due, at most `frames_per_second` times a second."""

    def __init__(
        self,
        is_frequent: Callable[[E], bool],
        frames_per_second: float = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_frequent, self._clock = is_frequent, clock
        self._frame_s = 1 / frames_per_second
        self._waiting: list[E] = []
        self._sent_at = -float("inf")

    def push(self, event: E) -> list[E]:
        """Add an event; return the batch that is due now, in order, or nothing yet."""
        self._waiting.append(event)
        if self._is_frequent(event) and self._clock() - self._sent_at < self._frame_s:
            return []
        return self.flush()

    def flush(self) -> list[E]:
        batch, self._waiting = self._waiting, []
        if batch:
            self._sent_at = self._clock()
        return batch
