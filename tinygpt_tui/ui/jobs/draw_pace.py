"""How often the screen is redrawn while text streams: as often as takes no more than a share of a core.

A fast model on a large screen would otherwise keep a whole core busy with drawing what no one can read, and keys would
wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.2  # of a core, for the whole process while text streams
LONGEST_S = 0.25  # between two pictures, however slow they are

Clock = Callable[[], float]


class DrawPace:
    """Computes the wait between two pictures from the processor time of the last one, which `begin` starts to count."""

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
        """Start to count the time of a picture."""
        self._began, self._cpu_began = self._clock(), self._cpu_clock()

    def rest_s(self) -> float:
        """Return how long to wait before the next picture, so that the last one used its share and no more."""
        needed_s = min((self._cpu_clock() - self._cpu_began) / self._share, self._longest_s)
        return max(0.0, needed_s - (self._clock() - self._began))
