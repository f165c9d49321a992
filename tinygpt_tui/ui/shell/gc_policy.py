"""When Python collects garbage: while no key is pressed, because a key would wait for it.

A full collection visits every object, which took 20 to 30 ms of a running app: started by Python it comes in the middle
of a frame, and made the slowest keys slower by half. The small collections, of young objects, stay as they are.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

YOUNG, MIDDLE = 700, 10  # Python's own: new objects, small collections
NEVER = 1_000_000  # medium collections until a full one would come by itself
QUIET_S = 1.0  # without a key; after a pause the next key may wait a moment
EVERY_S, AT_LEAST_EVERY_S = 10.0, 60.0
CHECK_EVERY_S = 1.0


class GarbagePolicy:
    """Collects while the user is idle; `collect` and `clock` replace Python's own in tests."""

    def __init__(self, collect: Callable[[], object] = gc.collect, clock: Callable[[], float] = time.monotonic) -> None:
        self._collect, self._clock = collect, clock
        self._key_at = self._collected_at = clock()

    def key(self) -> None:
        """The user pressed a key or used the mouse."""
        self._key_at = self._clock()

    def collect_if_due(self) -> None:
        """Collect if it is due and the user is idle, or overdue."""
        now = self._clock()
        passed_s, quiet = now - self._collected_at, now - self._key_at >= QUIET_S
        if passed_s >= (EVERY_S if quiet else AT_LEAST_EVERY_S):
            self._collect()
            self._collected_at = self._clock()

    def take_over(self) -> None:
        """Turn Python's collector on, except full collections; the command line left it off."""
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        gc.enable()

    def started(self) -> None:
        """Exempt all objects made so far from collections: they stay."""
        self._collect()
        gc.freeze()
        self._collected_at = self._clock()
