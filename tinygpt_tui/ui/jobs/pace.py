"""How often the screen is brought up to date while text streams: as often as costs no more than its share of a core.

A fast model on a large screen would otherwise keep a whole core busy with drawing what nobody can read, and keys would
wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.2  # of a core, for the whole process while text streams
LONGEST_S = 0.25  # between two pictures, however dear they are

Clock = Callable[[], float]


class Pace:
    """Says how long to rest: told of each new beginning by `begin`, it knows what the last one cost."""

    def __init__(
        self,
        clock: Clock = time.monotonic,
        cpu_clock: Clock = time.process_time,
        *,
        share: float = SHARE,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._clock, self._cpu_clock = clock, cpu_clock
        self._share, self._longest_s = share, longest_s
        self.begin()

    def begin(self) -> None:
        """Something is shown from now on; what it costs is counted until the next time."""
        self._began, self._cpu_began = self._clock(), self._cpu_clock()

    def rest_s(self) -> float:
        """Return how long to wait before anything else is shown, so that the last costs its share and no more."""
        needed_s = min((self._cpu_clock() - self._cpu_began) / self._share, self._longest_s)
        return max(0.0, needed_s - (self._clock() - self._began))
