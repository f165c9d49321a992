"""When Python looks for garbage: when nobody presses a key, because a key would wait for it.

A full collection looks at every object that there is, which took 20 to 30 ms of an app that runs: by itself it comes in
the middle of a picture, and made the slowest keys slower by half. The small collections, of what is young, go on.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

YOUNG, MIDDLE = 700, 10  # Python's own: so many new objects, so many small collections
NEVER = 1_000_000  # medium collections until a full one would come by itself
QUIET_S = 1.0  # without a key: who pauses so long may wait a moment for the next
EVERY_S, AT_LEAST_EVERY_S = 10.0, 60.0
LOOK_EVERY_S = 1.0


class Garbage:
    """Collects when it is quiet; `collect` and `clock` stand in for Python's own in tests."""

    def __init__(self, collect: Callable[[], object] = gc.collect, clock: Callable[[], float] = time.monotonic) -> None:
        self._collect, self._clock = collect, clock
        self._key_at = self._collected_at = clock()

    def key(self) -> None:
        """Somebody is at the keys, or the mouse."""
        self._key_at = self._clock()

    def look(self) -> None:
        """Collect if it is time and quiet, or high time."""
        now = self._clock()
        passed_s, quiet = now - self._collected_at, now - self._key_at >= QUIET_S
        if passed_s >= (EVERY_S if quiet else AT_LEAST_EVERY_S):
            self._collect()
            self._collected_at = self._clock()

    def take_over(self) -> None:
        """Turn Python's collector on, as the command line left it off, but for full collections."""
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        gc.enable()

    def started(self) -> None:
        """What the start made stays for good: no collection needs to look at it again."""
        self._collect()
        gc.freeze()
        self._collected_at = self._clock()
