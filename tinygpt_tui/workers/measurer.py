"""Has this machine's speed measured by a process of its own, for those who never import torch."""

from __future__ import annotations

from tinygpt_tui.runs.index import list_runs
from tinygpt_tui.workers.process import Child

PATIENCE_S = 120.0


class Measurer:
    """One measurement; another thread may end it before its time."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._closed = False

    def measure(self) -> bool:
        """Measure and wait for it; return whether it was done: a machine that trains already would seem slow."""
        if any(card.live for card in list_runs()):
            return False
        try:
            with Child("tinygpt_tui.training.measure") as child:
                self._child = child
                if self._closed:
                    child.kill()
                return child.wait(PATIENCE_S) == 0
        except (OSError, TimeoutError):
            return False

    def close(self) -> None:
        """End the measurement: the app that ends would wait for it."""
        self._closed = True
        if self._child is not None:
            self._child.kill()
