"""A stop is obeyed while something that takes long is computed: that is undone, and nothing else is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from makers import VARIANTS, make_run, small_corpus, small_training, tiny_gpt
from torch import Tensor

from tinygpt_tui import platforms
from tinygpt_tui.corpora import corpus, read
from tinygpt_tui.events.training import Evaluation, RunEnded, Step, TrainingEvent
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.training import commands, compiling, evaluate, loop, measure, prepare
from tinygpt_tui.training.gradients import Gradients
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.run import run_training

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="only a signal interrupts what takes long")

CPU = torch.device("cpu")
Slow = Callable[[str, Callable[..., Any]], Callable[..., Any]]


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """The control folder of a run."""
    return Control(tmp_path / "control")


def stop_and_never_end(control: Control) -> None:
    """Stop the run, then compute for as long as nothing interrupts it."""
    control.send("stop")
    while True:
        pass


class Abandoned(BaseException):
    """Ends a block of these tests."""


def never_end(due: list[int]) -> None:
    """Become due, then compute in a way that catches every Exception."""
    try:
        due.append(1)
        while True:
            pass
    except Exception:
        pytest.fail("it was caught")


def test_a_block_is_interrupted_whatever_catches_exceptions_in_it() -> None:
    due: list[int] = []
    with pytest.raises(Abandoned), platforms.interruptible(lambda: bool(due), Abandoned):
        never_end(due)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_the_block_around_another_is_interrupted_by_its_own_exception() -> None:
    due: list[int] = []
    outer = platforms.interruptible(lambda: bool(due), Abandoned)
    with pytest.raises(Abandoned), outer, platforms.interruptible(lambda: False, commands.Stopping):
        never_end(due)


def losses(events: list[TrainingEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Step)]


@pytest.mark.parametrize("net", [tiny_gpt(dropout=0.3), VARIANTS["gru"]], ids=["gpt", "gru"])
def test_a_slow_step_is_undone(net: ArchitectureSettings, monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    training = small_training(steps=6, evaluate_every=6, sample_tokens=0)
    settings, text = small_corpus(msgspec.structs.replace(training, architecture=net))
    straight = list(Training(settings, text, CPU).events())
    training = Training(settings, text, CPU, control)
    monkeypatch.setattr(loop, "SLOW_S", 0.0)
    plain, interrupted = Gradients._loss, []

    def slow(self: Gradients, inputs: Tensor, targets: Tensor, learned: float, step: int) -> Tensor:
        loss = plain(self, inputs, targets, learned, step)
        if step == 3 and not interrupted:
            interrupted.append(loss)
            stop_and_never_end(control)
        return loss

    monkeypatch.setattr(Gradients, "_loss", slow)
    first = list(training.events())
    assert (training.step, training.stopped) == (3, True)
    state = training.state()  # another training would draw from the same random numbers
    resumed = Training(settings, text, CPU)
    resumed.load_state(state)
    assert losses(first) + losses(list(resumed.events())) == losses(straight)


def test_an_evaluation_may_take_a_second_after_a_stop(monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    now = 100.0
    monkeypatch.setattr(commands.time, "monotonic", lambda: now)
    asked = commands.Commands(control)
    control.send("stop")
    assert not asked.is_late
    now += 0.9
    assert not asked.is_late
    now += 0.2
    assert asked.is_late


def test_a_slow_evaluation_is_cut_short_and_still_due(monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    monkeypatch.setattr(commands, "STOP_S", 0.0)
    monkeypatch.setattr(evaluate, "TOKENS_AT_ONCE", 8)
    settings, text = small_corpus(small_training(steps=4, evaluate_every=4, sample_tokens=0))
    training = Training(settings, text, CPU, control)
    plain = evaluate._logits

    def slow(*arguments: Any) -> Any:
        if training.step:
            stop_and_never_end(control)
        return plain(*arguments)

    monkeypatch.setattr(evaluate, "_logits", slow)
    events = list(training.events())
    assert [event.step for event in events if isinstance(event, Evaluation)] == [0]
    assert (training.step, training.stopped, training.complete) == (4, True, False)
    monkeypatch.setattr(evaluate, "_logits", plain)
    resumed = Training(settings, text, CPU)
    resumed.load_state(training.state())
    assert [event.step for event in resumed.events() if isinstance(event, Evaluation)] == [4]


def test_the_trial_of_the_compiler_is_abandoned(monkeypatch: pytest.MonkeyPatch, control: Control) -> None:
    monkeypatch.setattr(compiling.torch, "compile", lambda model: lambda ids: stop_and_never_end(control))
    settings, text = small_corpus(small_training(compile="always"))
    training = Training(settings, text, CPU, control)
    assert losses(list(training.events())) == []
    assert training.stopped
    assert training.state()["compiling"] == "always"  # it is tried again


def end_of(run: RunFolder) -> RunEnded:
    *_, last = run_training(run.model)
    assert isinstance(last, RunEnded)
    return last


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (measure, "try_steps"),
        (prepare, "Training"),
        (read, "decode"),
        (corpus, "check_length"),
        (evaluate, "_logits"),
    ],
)
def test_nothing_before_the_first_step_is_waited_for(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(device="auto", threads=0)
    monkeypatch.setattr(module, name, lambda *_, **__: stop_and_never_end(Control(run.control)))
    ended = end_of(run)
    assert (ended.reason, ended.message, ended.best_loss) == ("stopped", "stopped before the first step", None)
    assert not Control(run.control).pending("stop")
    monkeypatch.undo()
    assert end_of(run).reason == "finished"
