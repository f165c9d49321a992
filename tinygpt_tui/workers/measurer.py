"""Has this machine's speed measured by a process of its own, for those who never import torch."""

from __future__ import annotations

import subprocess

from tinygpt_tui.runs.index import list_runs
from tinygpt_tui.workers.process import command, environment

PATIENCE_S = 120.0


def measure_in_child() -> bool:
    """Measure and wait for it; return whether it was done: a machine that trains already would seem slow."""
    if any(card.live for card in list_runs()):
        return False
    try:
        done = subprocess.run(
            command("tinygpt_tui.training.measure"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            env=environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
