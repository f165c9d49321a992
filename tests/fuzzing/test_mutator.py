"""A small sample of the folders that the mutator makes; `python tests/fuzzing/mutator.py` tries thousands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("mutator.py")


@pytest.mark.skipif(sys.platform != "linux", reason="it forks, and limits a child's memory")
def test_mutated_folders_are_opened_or_refused() -> None:
    """In a process of its own: what forks should have no threads."""
    words = [sys.executable, str(SCRIPT), "--count", "15", "--seed", "1", "--few"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=250, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("15 folders:")
