"""A run by the clock ends on time, whatever the machine does meanwhile, and goes on with the plan that was kept."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from makers import make_run, small_corpus, small_training

from tinygpt_tui.events.training import Evaluation, Planned, Step, TrainingEvent
from tinygpt_tui.planning.time_budget import TimeBudget
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.extending import extended
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.runs.timeline import list_moments
from tinygpt_tui.settings.training import Extension
from tinygpt_tui.training import commands
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.run import run_training
from tinygpt_tui.training.schedule import rate_share
from tinygpt_tui.workers.trainer import announce

CPU = torch.device("cpu")


class Machine:
    """A run without a net: the clock moves by what a step, an evaluation and a save would take."""

    def __init__(self, minutes: float, step_s: Callable[[float], float], evaluation_s: float = 0.3) -> None:
        self.now = 1000.0
        self.time_budget = TimeBudget(
            small_training(minutes=minutes, evaluate_every=0, steps=50), clock=lambda: self.now
        )
        self._step_s, self._evaluation_s = step_s, evaluation_s
        self.evaluations: list[int] = []
        self.places: list[float] = []
        self.pace_settled = 0

    def _evaluate(self, step: int) -> None:
        self.now += self._evaluation_s
        self.time_budget.evaluated(step)
        self.evaluations.append(step)
        self.now += 0.05  # the best weights are written

    def run(self) -> float:
        """Return the seconds from the first step to the end."""
        self.time_budget.start_clock()
        self._evaluate(0)
        began, step = self.now, 0
        while step < self.time_budget.steps:
            self.places.append(self.time_budget.place(step) / self.time_budget.steps)
            self.now += self._step_s(self.now - began)
            step += 1
            self.time_budget.stepped(step)
            if self.time_budget.used_s < 0.03 * self.time_budget.budget_s:
                self.pace_settled = step
            if self.time_budget.evaluation_due(step):
                self._evaluate(step)
        self.step = step
        return self.now - began


def test_what_comes_before_the_first_step_uses_no_time() -> None:
    now = [0.0]
    budget = TimeBudget(small_training(minutes=1), clock=lambda: now[0])
    budget.start_clock()
    now[0] = 7.0
    budget.evaluated(0)
    now[0] = 9.0
    budget.stepped(1)
    assert budget.used_s == 2.0


def waking_up(gone_s: float) -> float:
    return 0.5 if not gone_s else 0.02


def slower_half_way(gone_s: float) -> float:
    return 0.02 if gone_s < 30 else 0.05


def faster_at_the_end(gone_s: float) -> float:
    return 0.05 if gone_s < 50 else 0.02


def restless(gone_s: float) -> float:
    return 0.02 if int(gone_s / 3) % 2 else 0.045


def with_a_stall(gone_s: float) -> float:
    return 5.0 if 20 < gone_s < 21 else 0.02


MACHINES = [waking_up, slower_half_way, faster_at_the_end, restless, with_a_stall]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("minutes", [0.25, 1.0, 3.0])
def test_it_ends_on_time(machine: Callable[[float], float], minutes: float) -> None:
    run = Machine(minutes, machine)
    assert run.run() == pytest.approx(minutes * 60, rel=0.1)
    assert run.step == run.time_budget.steps
    # once it is no longer young, the schedule never turns back, and it comes to its end
    settled = [place for step, place in enumerate(run.places) if step > run.pace_settled]
    assert all(earlier < later for earlier, later in itertools.pairwise(settled))
    assert run.places[-1] > 0.95
    assert run.evaluations[-1] == run.step
    assert 3 <= len(run.evaluations) - 1 <= 26


@pytest.mark.parametrize(("step_s", "minutes"), [(5.0, 0.5), (20.0, 0.25), (0.0001, 0.01)])
def test_very_slow_and_very_fast_machines(step_s: float, minutes: float) -> None:
    run = Machine(minutes, lambda gone: step_s, evaluation_s=step_s / 5)
    assert run.run() <= max(minutes * 60 * 1.1, step_s * 1.5 + 1)
    assert run.step >= 1


def test_evaluations_that_cost_much_are_few_and_still_on_time() -> None:
    run = Machine(1.0, lambda gone: 0.02, evaluation_s=4.0)
    assert run.run() == pytest.approx(60, rel=0.1)
    assert len(run.evaluations) == 4  # the first, and the fewest


def test_pauses_do_not_count() -> None:
    now = [0.0]
    budget = TimeBudget(small_training(minutes=1.0), clock=lambda: now[0])
    budget.start_clock()
    budget.evaluated(0)
    for step in range(1, 11):
        now[0] += 1.0
        budget.stepped(step)
    budget.stop_clock()
    now[0] += 3600.0
    budget.start_clock()
    now[0] += 1.0
    budget.stepped(11)
    assert budget.used_s == pytest.approx(11.0)
    assert 40 < budget.steps < 62


def test_without_minutes_nothing_is_planned() -> None:
    budget = TimeBudget(small_training(steps=30), clock=lambda: 0.0)
    budget.start_clock()
    assert not budget.timed
    assert [budget.stepped(step) for step in range(1, 31)] == [None] * 30
    assert [budget.place(step) for step in range(30)] == list(range(30))


def test_the_rate_follows_the_place_through_a_change_of_plan() -> None:
    run = Machine(1.0, slower_half_way)
    run.run()
    settings = small_training(steps=1000)
    shares = [rate_share(place * 1000, settings) for place in run.places]
    falling = shares[run.pace_settled + 1 :]
    assert all(later <= earlier for earlier, later in itertools.pairwise(falling))
    assert shares[-1] < 0.02


def ticking(training: Training, step_s: float = 0.01) -> None:
    """Replace the clock by one that a step's work moves, always by the same."""
    training.time_budget._clock = lambda: training.step * step_s


def state_of(training: Training) -> dict[str, Any]:
    content = io.BytesIO()
    torch.save(training.state(), content)
    content.seek(0)
    loaded: dict[str, Any] = torch.load(content, weights_only=True)
    return loaded


@pytest.mark.parametrize("kill_at", [3, 17])
def test_going_on_by_the_clock_is_exact(kill_at: int) -> None:
    settings, corpus = small_corpus(small_training(minutes=0.005, steps=7, evaluate_every=0, dropout=0.2))
    straight = Training(settings, corpus, CPU)
    ticking(straight)
    wanted = [event for event in straight.events() if isinstance(event, Step | Planned)]
    assert straight.step == 30

    first = Training(settings, corpus, CPU)
    ticking(first)
    begun: list[TrainingEvent] = []
    for event in first.events():
        begun.append(event)
        if isinstance(event, Step) and event.step == kill_at:
            break
    kept = state_of(first)
    second = Training(settings, corpus, CPU)
    second.load_state(kept)
    ticking(second)
    rest = list(second.events())
    told = [(event.step, event.loss, event.learning_rate) for event in begun + rest if isinstance(event, Step)]
    assert told == [(event.step, event.loss, event.learning_rate) for event in wanted if isinstance(event, Step)]
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], tensor)


def test_a_real_run_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(minutes=0.02, evaluate_every=0, steps=1)
    ticks = itertools.count()
    monkeypatch.setattr("tinygpt_tui.planning.time_budget.time.perf_counter", lambda: next(ticks) * 0.005)
    events = list(run_training(run.model))
    plans = [event for event in events if isinstance(event, Planned)]
    last = [event for event in events if isinstance(event, Step)][-1]
    assert plans[-1].steps == last.step > 40
    assert next(ticks) * 0.005 == pytest.approx(1.2, rel=0.1)
    assert isinstance([event for event in events if isinstance(event, Evaluation | Step)][-1], Evaluation)
    status = run.read_status()
    assert (status.state, status.step, status.steps) == ("finished", last.step, last.step)
    history = RunHistory()
    history.add(read_journal(run.events))
    assert history.steps == last.step
    assert any("steps fit the time" in line for line in history.log)
    kept = [moment.step for moment in list_moments(run)]
    assert (kept[0], kept[-1]) == (0, last.step)
    assert 10 < len(kept) <= 41


def test_a_pause_stops_the_clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    control = Control(tmp_path)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += 1000.0
        control.cancel("pause")

    monkeypatch.setattr(commands.time, "sleep", sleep)
    settings, corpus = small_corpus(small_training(minutes=0.01, evaluate_every=0))
    training = Training(settings, corpus, CPU, control)
    training.time_budget._clock = lambda: now[0] + training.step * 0.01
    for event in training.events():
        if isinstance(event, Step) and event.step == 10:
            control.send("pause")
    assert training.step == 60


@pytest.mark.parametrize("stop", [0, 15])
def test_a_run_by_the_clock_that_is_made_longer_keeps_to_its_new_steps(
    monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    run = make_run(minutes=0.02, evaluate_every=0, steps=1)
    ticks = itertools.count()
    monkeypatch.setattr("tinygpt_tui.planning.time_budget.time.perf_counter", lambda: next(ticks) * 0.005)
    for event in run_training(run.model):
        if stop and isinstance(event, Step) and event.step == stop:
            Control(run.control).send("stop")
    status = run.read_status()
    reached, planned = status.step, status.steps
    if stop:
        next(iter(events := run_training(run.model)))  # a trainer that is gone before it took a step
        starting = run.read_status()
        events.close()  # type: ignore[attr-defined]
        assert (starting.step, starting.steps) == (reached, planned)
    else:
        list(run_training(run.model))  # nothing is left to do
    assert (run.read_status().step, run.read_status().steps) == (reached, planned)
    if not stop:
        announce(run, os.getpid())  # as the app does for a trainer that is still importing
        run.write_status(msgspec.structs.replace(run.read_status(), state="stopped"))
        assert (run.read_status().step, run.read_status().steps) == (reached, planned)
    settings = extended(run, "+30")
    assert (settings.training.minutes, settings.training.steps) == (0.0, planned + 30)
    assert settings.extensions == [Extension(at=reached, steps_before=planned)]
    events = list(run_training(run.model, settings=settings))
    made = [event for event in events if isinstance(event, Step)]
    assert (made[0].step, made[-1].step) == (reached + 1, planned + 30)
    assert not [event for event in events if isinstance(event, Planned)]
    straight = msgspec.structs.replace(settings.training, steps=planned + 30)
    assert made[-1].learning_rate == straight.learning_rate * rate_share(planned + 29, straight)
    assert run.read_status().steps == planned + 30


@pytest.mark.parametrize("share", [0, 4])
@pytest.mark.parametrize("calibrated_on", [0, 200])
def test_what_the_end_reads_more_comes_off_the_time(
    monkeypatch: pytest.MonkeyPatch, share: int, calibrated_on: int
) -> None:
    settings, corpus = small_corpus(small_training(minutes=1.0, evaluate_every=0))
    training = Training(settings, corpus, CPU)
    windows = len(corpus.validation) // settings.architecture.block_size
    training.evaluations.read_part(settings, share * settings.architecture.block_size)
    training.evaluations.calibrated_on = calibrated_on
    told: list[float] = []
    monkeypatch.setattr(training.time_budget, "end_takes_longer", told.append)
    first = next(event for event in training.events() if isinstance(event, Evaluation))
    read, final = first.tokens or len(corpus.validation), len(corpus.validation)
    assert (read == final) is (share == 0)
    assert windows > share
    more = final - read + (calibrated_on + final if calibrated_on else 0)
    assert told == [pytest.approx(first.seconds * more / read)]
