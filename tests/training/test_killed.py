"""Killed at any moment and gone on with, a run ends as if nothing had happened, bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import killing
import numpy as np
import pytest
import torch
from makers import make_run

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import WEIGHTS
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import read_journal

STEPS = 600
RANDOM_MOMENTS = 12
LAB = Path(killing.__file__)


def begin(name: str) -> RunFolder:
    """A run whose evaluations on the way read a part of the split; the best weights may be earlier ones."""
    return make_run(
        name,
        steps=STEPS,
        evaluate_every=12,
        evaluation_tokens=40,
        dropout=0.1,
        token_shift=1,
        n_layer=1,
        sample_tokens=2,
    )


def train(run: RunFolder, random_moments: int) -> dict[str, Any]:
    environment = {**os.environ, paths.HOME_VARIABLE: str(paths.home()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(LAB), str(run.model), "1", str(random_moments)],
        capture_output=True,
        env=environment,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a life is a fork; a trainer killed on Windows is in test_trainer")
def test_killed_thirty_times_it_ends_as_if_nothing_had_happened() -> None:
    straight, killed = begin("straight"), begin("killed")
    train(straight, 0)
    told = train(killed, RANDOM_MOMENTS)
    assert told["state"] == "finished"
    missed = [place for place in killing.PLACES if not told["deaths"][place]]
    assert missed == []
    assert sum(told["deaths"].values()) >= 30

    assert (killed.model / WEIGHTS).read_bytes() == (straight.model / WEIGHTS).read_bytes()
    one, other = (torch.load(run.resume, weights_only=True) for run in (straight, killed))
    clocked = {"elapsed_s", "pace"}
    assert one.keys() == other.keys()
    assert [key for key in one if key not in clocked and not same(one[key], other[key])] == []

    history, plain = RunHistory(), RunHistory()
    history.add(read_journal(killed.events))
    plain.add(read_journal(straight.events))
    assert list(history.losses[0]) == list(range(1, STEPS + 1))
    for mine, its in zip(
        history.losses + history.validation_losses, plain.losses + plain.validation_losses, strict=True
    ):
        np.testing.assert_array_equal(mine, its)
    assert history.samples == plain.samples
    assert history.best == plain.best
    left = [path.name for path in killed.model.rglob("*") if path.name.endswith(".part")]
    assert left == []
