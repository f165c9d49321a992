"""How long something worked; the sleep of a laptop, or of a stopped process, does not count."""

from __future__ import annotations

import time

# Some clocks run while a machine sleeps (Windows), and all do while a process is stopped; processor time does not.
SUSPICIOUS_S = 30.0
IDLE_SHARE = 0.05


class Stopwatch:
    """Starts when it is created. `waits`: the process itself works little, because it waits for an accelerator."""

    def __init__(self, waits: bool = False) -> None:
        self._waits = waits
        self._wall, self._work = time.perf_counter(), time.process_time()

    def seconds(self) -> float:
        """Return the seconds since the start; a long time in which the process hardly worked does not count."""
        wall, work = time.perf_counter() - self._wall, time.process_time() - self._work
        return work if not self._waits and wall > SUSPICIOUS_S and work < wall * IDLE_SHARE else wall
