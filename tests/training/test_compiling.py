"""torch.compile: when it is chosen, and that a machine on which it fails trains all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from makers import MODERN, make_run, random_model, small_corpus, small_training
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.events.training import Note, Step, TrainingEvent
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.training import compiling, loop
from tinygpt_tui.training.compiling import Compiling
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.run import run_training

CPU = torch.device("cpu")
NAMES = ("g++", "c++", "clang++", "gcc", "cc", "clang", "cl")


def losses(events: list[TrainingEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Step)]


def said(events: list[TrainingEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note) and "torch.compile" in event.text]


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A compiler that changes nothing; returns the list of what was computed by it."""
    calls: list[str] = []

    def compile(model: LanguageModel) -> Callable[[Tensor], Tensor]:
        def forward(ids: Tensor) -> Tensor:
            calls.append("forward")
            logits: Tensor = model(ids)
            return logits

        return forward

    monkeypatch.setattr(torch, "compile", compile)
    return calls


@pytest.fixture(params=["forward", "backward"])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that fails when the compiled model is first used, or only at the way back."""

    def refuse(*_: object) -> Any:
        raise RuntimeError("no working compiler\n\nset VERBOSE for more")

    def compile(model: LanguageModel) -> Callable[[Tensor], Tensor]:
        if request.param == "forward":
            return refuse

        def forward(ids: Tensor) -> Tensor:
            logits: Tensor = model(ids)
            logits.register_hook(refuse)
            return logits

        return forward

    monkeypatch.setattr(torch, "compile", compile)


@pytest.mark.parametrize(("choice", "steps", "compiler", "notes"), [
    ("auto", 10_000_000, True, 1),
    ("auto", 10_000_000, False, 0),
    ("auto", 25, True, 0),
    ("never", 10_000_000, True, 0),
    ("always", 10_000_000, True, 0),
])  # fmt: skip
def test_it_is_decided_once_by_what_it_saves(
    monkeypatch: pytest.MonkeyPatch, compiled: list[str], choice: str, steps: int, compiler: bool, notes: int
) -> None:
    monkeypatch.setattr(compiling, "_has_compiler", lambda device: compiler)
    ticks = iter(range(1000))
    monkeypatch.setattr(compiling.time, "perf_counter", lambda: next(ticks) * 0.1)
    decider = Compiling(small_training(compile=choice), CPU)
    model = random_model(MODERN)
    said = [note for step in range(60) if (note := decider.after_step(steps - step))]
    assert len(said) == notes
    assert decider.is_due == (choice == "always" or notes == 1)
    if notes:
        assert decider.choice == "auto"  # nothing that has not worked is saved
    if decider.is_due:
        assert decider.try_out(model, lambda: decider.forward(model)(torch.zeros(1, 4, dtype=torch.long))) == ""
        assert decider.choice == "always"
    assert (decider.forward(model) is not model) == bool(compiled)


def test_the_trial_changes_nothing(compiled: list[str]) -> None:
    """With dropout: the random numbers are those of a run that never tried."""
    plain = list(Training(*small_corpus(small_training(dropout=0.3)), CPU).events())
    assert not compiled
    settings, corpus = small_corpus(small_training(compile="always", dropout=0.3))
    assert losses(list(Training(settings, corpus, CPU).events())) == losses(plain)
    assert len(compiled) == settings.steps + 1


@pytest.mark.usefixtures("broken")
def test_a_run_goes_on_without_it_and_says_so_once() -> None:
    plain = list(run_training(make_run("plain", dropout=0.3).model))
    run = make_run("broken", dropout=0.3, compile="always")
    events = list(run_training(run.model))
    assert losses(events) == losses(plain)
    (note,) = said(events)
    assert "no working compiler" in note
    assert "VERBOSE" not in note
    assert torch.load(run.resume, weights_only=True)["compiling"] == "never"


def stopped(name: str, compile: str) -> RunFolder:
    """Return a run that stands at step 4 of 8 and was left, as older versions did, at "compile always"."""
    run = make_run(name, steps=8, n_layer=1)
    for event in run_training(run.model):
        if isinstance(event, Step) and event.step == 4:
            Control(run.control).send("stop")
    state = torch.load(run.resume, weights_only=True)
    torch.save({**state, "compiling": "always"}, run.resume)
    settings = run.read_settings()
    run.write_settings(
        msgspec.structs.replace(settings, training=msgspec.structs.replace(settings.training, compile=compile))
    )
    return run


@pytest.mark.usefixtures("broken")
def test_resume_heals_a_run_that_a_broken_compiler_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "use_fused", lambda model: False)  # it would leave nothing to compile
    straight = list(run_training(make_run("straight", steps=8, n_layer=1).model))
    run = stopped("healed", "auto")
    rest = list(run_training(run.model))
    assert len(said(rest)) == 1
    assert losses(read_journal(run.events)) == losses(straight)
    assert torch.load(run.resume, weights_only=True)["compiling"] == "never"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a compiler that fails is a shell script here")
def test_with_real_compilers_that_fail(tmp_path: Path, home: Path) -> None:
    run = stopped("real", "always")
    folder = tmp_path / "compilers"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in ("CC", "CXX")}
    environment |= {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),  # nothing that was compiled before helps
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "TINYGPT_TUI_HOME": str(home),
    }
    command = [sys.executable, "-m", "tinygpt_tui", "resume", "real"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    events = read_journal(run.events)
    assert len(said(events)) == 1
    assert len(losses(events)) == 8
    assert torch.load(run.resume, weights_only=True)["compiling"] == "never"
