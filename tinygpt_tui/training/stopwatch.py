"""How long something worked: a laptop's sleep, or a process that was held, is no work."""

from __future__ import annotations

import time

# Some clocks go on while a machine sleeps (Windows) and all do while a process is held; its processor time does not.
SUSPICIOUS_S = 30.0
IDLE_SHARE = 0.05


class Stopwatch:
    """Starts when it is made. `waits`: the process works little meanwhile, because it waits for an accelerator."""

    def __init__(self, waits: bool = False) -> None:
        self._waits = waits
        self._wall, self._work = time.perf_counter(), time.process_time()

    def seconds(self) -> float:
        """Return the seconds since the start; a long time in which the process hardly worked does not count."""
        wall, work = time.perf_counter() - self._wall, time.process_time() - self._work
        return work if not self._waits and wall > SUSPICIOUS_S and work < wall * IDLE_SHARE else wall
