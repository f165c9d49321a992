"""Controlling a run from another terminal, and the answers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import msgspec
import psutil
import pytest
import torch
from makers import make_run, wait_until

from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.events.training import RunEnded, Step
from tinygpt_tui.runs.control import Control
from tinygpt_tui.training.run import run_training
from tinygpt_tui.workers.trainer import RunWatch, start_trainer


@pytest.fixture
def watch() -> Iterator[RunWatch]:
    """A live run with many steps left."""
    found = RunWatch(make_run("cat", steps=1_000_000, evaluate_every=500_000))
    pid = start_trainer(found.run)
    yield found
    if psutil.pid_exists(pid):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


def test_a_conversation_with_a_trainer(watch: RunWatch, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str, code: ExitCode = ExitCode.OK) -> tuple[str, str]:
        capsys.readouterr()
        assert tinygpt(arguments) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    wait_until(lambda: any(isinstance(event, Step) for event in watch.poll()))
    assert "already training" in said("resume", "cat", code=ExitCode.RUN)[1]
    assert "cat is paused at step" in said("pause", "cat")[1]
    wait_until(lambda: (status := watch.status()) is not None and status.state == "paused")
    assert "already paused" in said("pause", "cat")[1]
    assert watch.run.resume.is_file()
    text, about = said("sample", "cat")
    assert text.strip()
    assert "cat after step" in about
    assert str(watch.run.resume) in said("save", "cat")[1]
    wait_until(lambda: time.time() - watch.run.status.stat().st_mtime > 1.5)
    said("sample", "cat")
    assert watch.run.read_status().state == "paused"  # also after other commands
    assert "stop cat` first" in said("resume", "cat", "--steps", "+10", code=ExitCode.RUN)[1]
    assert "cat continues from step" in said("resume", "cat")[1]
    assert "asked cat to stop" in said("stop", "cat")[1]
    wait_until(lambda: any(isinstance(event, RunEnded) for event in watch.poll()))
    wait_until(lambda: not watch.alive())
    for command in ("stop", "pause", "save", "sample"):
        assert "not being trained now" in said(command, "cat", code=ExitCode.RUN)[1]


def test_a_shipped_run_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert tinygpt(["resume", "tales"]) == ExitCode.RUN
    assert "--from tales" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device that is missing here is there")
def test_a_run_whose_device_is_missing_continues_on_another(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run("cat", steps=4, evaluate_every=4)
    for event in run_training(run.model):
        if isinstance(event, Step) and event.step == 2:
            Control(run.control).send("stop")
    settings = run.read_settings()
    on_gpu = msgspec.structs.replace(settings, training=msgspec.structs.replace(settings.training, device="cuda"))
    run.write_settings(on_gpu)
    assert tinygpt(["resume", "cat"]) == ExitCode.RUN
    assert "resume cat --device auto" in capsys.readouterr().err
    assert tinygpt(["resume", "cat", "--device", "cuda"]) == ExitCode.USAGE
    assert "no cuda" in capsys.readouterr().err
    assert run.read_settings() == on_gpu
    assert tinygpt(["resume", "cat", "--device", "cpu"]) == ExitCode.OK
    assert run.read_status().state == "finished"
