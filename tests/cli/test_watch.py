"""`tinygpt-tui watch` shows any run and leaves it alone; `train --detach` starts one that outlives its terminal."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from makers import TEXT, make_run, wait_until

from tinygpt_tui.cli import watch as command
from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.runs.control import live_status
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.training.run import run_training


def test_a_past_run_is_shown_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in run_training(make_run("cat").model):
        pass
    assert tinygpt(["watch", "cat"]) == ExitCode.OK
    shown = capsys.readouterr()
    assert "step 12/12" in shown.out
    assert "finished at step 12" in shown.err


def test_without_a_name_there_must_be_a_live_run(capsys: pytest.CaptureFixture[str]) -> None:
    make_run("cat")
    assert tinygpt(["watch"]) == ExitCode.NOT_FOUND
    assert "watch NAME" in capsys.readouterr().err


def test_a_detached_training_is_watched_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "cat.txt"
    text.write_text(TEXT * 3, encoding="utf-8")
    small = ["--preset", "small", "--block-size", "8", "--steps", "1000000", "--threads", "1"]
    assert tinygpt(["train", "--corpus", str(text), "--detach", *small]) == ExitCode.OK
    assert capsys.readouterr().out == "cat\n"
    run = find_run("cat")
    status = run.read_status()
    try:
        polls = 0

        def poll(seconds: float) -> None:
            nonlocal polls
            polls += 1
            wait_until(lambda: run.events.exists() and "Step" in run.events.read_text(encoding="utf-8"))
            if polls == 3:
                raise KeyboardInterrupt

        monkeypatch.setattr(command, "time", SimpleNamespace(sleep=poll))
        assert tinygpt(["watch"]) == ExitCode.OK
        shown = capsys.readouterr()
        assert "step 0/1000000" in shown.out
        assert "cat continues" in shown.err
        assert live_status(run) is not None
    finally:
        with contextlib.suppress(OSError, psutil.Error):
            os.kill(status.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
