"""Has this machine's speed measured by a process of its own, for those who never import torch."""

from __future__ import annotations

from tinygpt_tui.runs.index import list_runs
from tinygpt_tui.workers.process import Child

PATIENCE_S = 120.0


def measure_in_child() -> bool:
    """Measure and wait for it; return whether it was done: a machine that trains already would seem slow."""
    if any(card.live for card in list_runs()):
        return False
    try:
        with Child("tinygpt_tui.training.measure") as child:
            return child.wait(PATIENCE_S) == 0
    except (OSError, TimeoutError):
        return False
