"""A run's curves from its events."""

from __future__ import annotations

import pytest

from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Sample, Step
from tinygpt_tui.runs.history import RunHistory

STARTED = RunStarted(1.0, 0, 4000, 100, 90, 10, "cpu", 1)


def step(number: int) -> Step:
    return Step(number, 4.0 / number, 1e-3, 0.5, 1000.0, 0.5 * number)


def test_before_anything_there_is_nothing() -> None:
    history = RunHistory()
    assert (history.step, history.steps, history.best, history.elapsed_s, history.left_s) == (0, 0, None, 0.0, None)


def test_curves_and_numbers() -> None:
    history = RunHistory()
    history.add([STARTED, Evaluation(0, 4.1, 4.1, 0, 4.1, 0.1), Sample(0, "x"), *(step(n) for n in range(1, 3001))])
    history.add([Evaluation(3000, 2.0, 1.9, 3000, 2.0, 0.1)])
    assert history.train.xs.tolist() == list(range(1, 3001))
    assert history.train.ys[1] == 2.0
    assert history.validation.ys.tolist() == [4.1, 2.0]
    assert (history.step, history.steps, history.best) == (3000, 4000, (3000, 2.0))
    assert history.elapsed_s == 1500
    assert history.left_s == pytest.approx(500)
    history.add([RunEnded(2.0, 3000, "stopped", 3000, 2.0, 1501.0)])
    assert (history.elapsed_s, history.left_s) == (1501, None)
