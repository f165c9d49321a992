"""What becomes of a run's events, without a screen."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from train_bench import beginning, loss_at, steps

from tinygpt_tui.charts.smoothing import smoothed
from tinygpt_tui.events.training import (
    Calibrated,
    Evaluation,
    Finding,
    Note,
    RolledBack,
    RunEnded,
    RunStarted,
    Sample,
    Saved,
    Step,
)
from tinygpt_tui.runs.history import LOG_LINES, RunHistory
from tinygpt_tui.ui.timeline.time_machine import state_at
from tinygpt_tui.words import bar, duration, ratio, shortened, size


def test_all_at_once_or_one_by_one_is_the_same() -> None:
    events = [*beginning(), *steps(1, 95)]
    once, one_by_one = RunHistory(), RunHistory()
    once.add(events)
    for event in events:
        one_by_one.add([event])
    for first, second in zip(once.losses, one_by_one.losses, strict=True):
        np.testing.assert_array_equal(first, second)
    assert once.log == one_by_one.log
    assert once.samples == one_by_one.samples
    assert once.step == 95
    assert once.best == (90, loss_at(90))


def test_buffers_grow_past_their_first_size() -> None:
    history = RunHistory()
    history.add(Step(step, 1.0 / step, 1e-3, 0.5, 100.0, step) for step in range(1, 5001))
    xs, ys = history.losses
    assert len(xs) == 5000
    assert ys[-1] == 1.0 / 5000


def test_time_left_counts_evaluations() -> None:
    history = RunHistory(steps=100, evaluate_every=10)
    history.add([RunStarted(0.0, 0, 100, 1, 1, 1, "cpu", 1)])
    elapsed = 0.0
    for step in range(1, 51):
        elapsed += 0.1 + (1.0 if step % 10 == 1 else 0.0)  # an evaluation of a second before every tenth step
        history.add([Step(step, 1.0, 1e-3, 0.5, 100.0, elapsed)])
    assert history.remaining_s == pytest.approx(50 * 0.1 + 5 * 1.0)


def test_time_left_before_the_second_evaluation_counts_those_to_come() -> None:
    history = RunHistory(steps=100, evaluate_every=10)
    history.add([RunStarted(0.0, 0, 100, 1, 1, 1, "cpu", 1), Evaluation(0, 2.0, 2.0, 0, 2.0, seconds=2.0)])
    history.add(Step(step, 1.0, 1e-3, 0.5, 100.0, step * 0.1) for step in range(1, 6))
    assert history.remaining_s == pytest.approx(95 * 0.1 + 9 * 2.0)


def test_time_left_is_unknown_before_there_are_steps_and_after_the_end() -> None:
    history = RunHistory(steps=100)
    assert history.remaining_s is None
    history.add(steps(1, 50))
    assert history.remaining_s is not None
    history.add([RunEnded(0.0, 50, "stopped", 50, 1.0, 5.0)])
    assert history.remaining_s is None


def test_the_best_is_of_what_still_holds() -> None:
    history = RunHistory()
    history.add([*beginning(), *steps(1, 45)])
    assert history.best == (40, loss_at(40))
    history.add([RunStarted(0.0, 15, 100, 1, 1, 1, "cpu", 1)])
    assert history.best == (10, loss_at(10))
    assert history.step == 15


def test_what_was_rolled_back_is_void() -> None:
    history = RunHistory()
    early, late = Finding(40, "windows", "hint", "early"), Finding(43, "step-size", "warning", "late")
    history.add([*beginning(), *steps(1, 45), early, late, RolledBack(40, 45, "the loss", 0.5)])
    assert history.findings == {"windows": early}
    assert list(history.losses[0]) == list(range(1, 41))
    assert history.step == 40
    assert history.log[-1] == "   45  the loss is not a number: back to step 40, at 0.5 of the rate"
    history.add(steps(41, 60))
    assert list(history.losses[0]) == list(range(1, 61))
    assert list(history.validation_losses[0]) == [0, 10, 20, 30, 40, 50, 60]


def test_what_is_told_twice_is_shown_once() -> None:
    history = RunHistory()
    history.add([*beginning(), *steps(1, 20), Sample(20, "ab")])
    history.add([RunStarted(0.0, 20, 100, 1, 1, 1, "cpu", 1), Evaluation(20, 1.5, 1.6, 20, 1.5, 0.1), Sample(20, "ab")])
    assert list(history.validation_losses[0]) == [0, 10, 20]
    assert [sample.step for sample in history.samples].count(20) == 1


def test_what_comes_from_a_part_of_the_text_is_said_as_such() -> None:
    history = RunHistory()
    history.add([RunStarted(0.0, 0, 20, 1, 900, 100, "cpu", 1)])
    history.add([Evaluation(0, 3.0, 3.0, 0, 3.0, 0.1, tokens=40, best_tokens=40)])
    history.add([Evaluation(10, 2.0, 2.1, 10, 2.0, 0.1, tokens=40, best_tokens=40)])
    assert history.read_words(40) == "40 of 100 tokens"
    assert history.log[-1] == "   10  validation 2.0000 on 40 tokens ◆ best"
    history.add([Sample(10, "ab")])
    assert (history.samples[-1].loss, history.samples[-1].tokens) == (2.0, 40)
    assert state_at(history, 15) == "validation ≈2.000 at 10 · after 0 s"
    history.add([Evaluation(20, 2.05, 1.9, 20, 2.05, 0.2, part_loss=1.95)])
    assert state_at(history, 20) == "validation 2.050 · after 0 s"
    assert list(history.validation_losses[1]) == [3.0, 2.0, 2.05]  # as it was told …
    assert list(history.comparable_losses[1]) == [3.0, 2.0, 1.95]  # … and like with like: it did not rise
    assert list(history.gaps[1]) == pytest.approx([-0.1, 0.05])
    assert history.read_words(history.last_evaluation.tokens if history.last_evaluation else 1) == ""


@pytest.mark.parametrize("smoothing", [0.0, 0.9, 0.98])
@pytest.mark.parametrize("count", [1, 7, 80])
def test_the_train_loss_is_where_the_curve_of_the_chart_ends(smoothing: float, count: int) -> None:
    history = RunHistory()
    assert history.train_loss(smoothing) is None
    history.add([*beginning(), *steps(1, count)])
    train = history.train_loss(smoothing)
    assert train is not None
    assert train[0] == pytest.approx(smoothed(history.losses[1], smoothing)[-1])
    assert train[1] == min(count, {0.0: 1, 0.9: 10, 0.98: 50}[smoothing])


def test_the_log_has_an_end() -> None:
    history = RunHistory()
    history.add(Note(step, "a word") for step in range(3 * LOG_LINES))
    assert len(history.log) <= LOG_LINES
    assert history.log[-1].endswith("a word")


def test_kept_weights_stand_beside_their_loss() -> None:
    history = RunHistory()
    history.add([Evaluation(10, 1.5, 1.6, 10, 1.5, 0.1), Saved(10, "best")])
    assert history.log == ["   10  validation 1.5000 ◆ best, saved"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (7260, "2 h 01 min"), (1e5, "1 d 03 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_words() -> None:
    assert size(1_115_394) == "1.1 MB"
    assert [ratio(value) for value in (0.0213, 1.66, 340.4)] == ["0.021", "1.7", "340"]
    assert shortened("a long name", 6) == "a lon…"
    assert bar(0.5, 4) == "██"
    assert bar(0.0, 4) == ""
    assert bar(1e-9, 4) == "▏"
    assert bar(2.0, 4) == "████"


def test_the_train_tab_knows_no_torch() -> None:
    code = "import sys, tinygpt_tui.ui.train.screen; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=240, check=False).returncode == 0


def test_a_calibration_is_said_per_character_until_there_are_better_weights() -> None:
    history = RunHistory()
    started = RunStarted(1.0, 0, 10, 100, 900, 100, "cpu", 1, validation_characters=200)
    history.add([started, Saved(10, "best"), Calibrated(10, 0.8, 2000, 3.0)])
    assert history.calibration_words == "logits × 0.800, validation loss 1.5000 (2.1640 bits; 3.0000 a token)"
    assert history.log[-1].endswith(history.calibration_words)
    history.add([Saved(20, "best")])
    assert history.calibration_words == ""
