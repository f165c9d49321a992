"""Where a training computes is tried out; what fails in a trial is ruled out, and ends no run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from makers import make_run, small_training

from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.training import Note, RunEnded, Step, TrainingEvent
from tinygpt_tui.training import loop, measure, prepare
from tinygpt_tui.training.measure import choose, try_steps
from tinygpt_tui.training.run import run_training

CPU, MPS = torch.device("cpu"), torch.device("mps")
SETTINGS = small_training(device="auto", threads=0)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, float | Exception]], list[tuple[str, int, float]]]:
    """Set what a step takes on each device, or how it fails there; returns the list of what was tried."""
    calls: list[tuple[str, int, float]] = []

    def prepare_tries(each: dict[str, float | Exception]) -> list[tuple[str, int, float]]:
        def try_steps(settings: Any, device: torch.device, seconds: float, hopeless_s: float = math.inf) -> float:
            calls.append((device.type, torch.get_num_threads(), hopeless_s))
            found = each[device.type]
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(measure, "devices", lambda: [torch.device(name) for name in each])
        monkeypatch.setattr(prepare, "devices", lambda: [torch.device(name) for name in each])
        monkeypatch.setattr(measure, "_thread_counts", lambda: [1, 2])
        monkeypatch.setattr(measure, "try_steps", try_steps)
        return calls

    before = torch.get_num_threads()
    yield prepare_tries  # type: ignore[misc]
    torch.set_num_threads(before)


FAILED = RuntimeError("foreach is not for mps")


def test_a_device_that_fails_is_ruled_out(tried: Any) -> None:
    tried({"cpu": 0.01, "mps": FAILED})
    choice = choose(SETTINGS)
    assert choice.device == CPU
    (note,) = choice.notes
    assert "mps" in note
    assert "foreach is not for mps" in note


def test_so_is_the_processor(tried: Any) -> None:
    tried({"cpu": MemoryError("too little"), "mps": 0.01})
    choice = choose(SETTINGS)
    assert choice.device == MPS
    assert len(choice.notes) == 1


def test_a_run_survives_every_trial(tried: Any) -> None:
    """Nothing is left: the training's own steps decide, and here they work."""
    tried({"cpu": FAILED})
    run = make_run(device="auto", threads=0, steps=2)
    events = list(run_training(run.model))
    assert isinstance(events[-1], RunEnded)
    assert (events[-1].reason, events[-1].step) == ("finished", 2)
    assert any(isinstance(event, Note) and "foreach is not for mps" in event.text for event in events)


def test_what_no_device_can_do_is_said_at_once(tried: Any) -> None:
    tried({"cpu": UsageError("heads do not divide the width"), "mps": 0.01})
    with pytest.raises(UsageError, match="heads"):
        choose(SETTINGS)


def test_a_processor_that_cannot_catch_up_is_left_alone(tried: Any) -> None:
    calls = tried({"cpu": 1.0, "mps": 0.1})
    assert choose(SETTINGS).device == MPS
    assert [device for device, _, _ in calls] == ["mps", "cpu"]
    assert calls[1][2] == pytest.approx(0.2)  # two cores may be twice as fast as one

    calls = tried({"cpu": 0.1, "mps": 1.0})
    calls.clear()
    assert choose(SETTINGS).device == CPU
    assert [(device, threads) for device, threads, _ in calls[1:]] == [("cpu", 1), ("cpu", 2)]


class SlowStart:
    """A training whose first steps take long, as on an accelerator that loads its kernels; time is what it says."""

    def __init__(self, first_s: float, step_s: float) -> None:
        self.now, self._each = 0.0, [first_s, first_s / 2, step_s * 3, step_s * 2]
        self._step_s = step_s

    def __call__(self, *_: object) -> SlowStart:
        return self

    def events(self) -> Iterator[TrainingEvent]:
        for step in range(60):
            self.now += self._each[step] if step < len(self._each) else self._step_s
            yield Step(
                step=step + 1, loss=1.0, learning_rate=1.0, gradient_norm=1.0, tokens_per_s=1.0, elapsed_s=self.now
            )


@pytest.mark.parametrize("first_s", [0.1, 5.0, 2.0])
def test_an_accelerator_warms_up_by_steps(monkeypatch: pytest.MonkeyPatch, first_s: float) -> None:
    script = SlowStart(first_s, 0.02)
    monkeypatch.setattr(measure, "Training", script)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: script.now)
    assert try_steps(SETTINGS, MPS, 0.7) == pytest.approx(0.02)


def test_a_slow_one_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for device in (CPU, MPS):
        script = SlowStart(9.0, 9.0)
        monkeypatch.setattr(measure, "Training", script)
        monkeypatch.setattr(measure.time, "perf_counter", lambda script=script: script.now)
        try_steps(SETTINGS, device, 0.7)
        assert script.now < 20


def test_the_real_steps() -> None:
    state = torch.get_rng_state()
    began = time.perf_counter()
    step_s = try_steps(SETTINGS, CPU, 0.05)
    assert 0 < step_s < time.perf_counter() - began
    assert torch.equal(torch.get_rng_state(), state)
    assert loop.Training is measure.Training
