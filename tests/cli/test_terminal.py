"""A training that is started in a terminal outlives it, and outlives the readers of what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from makers import make_run, wait_until

from tinygpt_tui.events.training import RunEnded
from tinygpt_tui.runs.journal import read_journal

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="terminals do not hang up here")

TALK = """
import os, signal, sys
from pathlib import Path
from tinygpt_tui.cli.terminal import surviving
with surviving(Path(sys.argv[1])):
    print("before", flush=True)
    sys.stdin.readline()  # the other end of the output is gone by now
    for number in range(3):
        print(f"out {number}", flush=True)
        print(f"err {number}", file=sys.stderr, flush=True)
    os.write(1, b"by descriptor\\n")
"""


def start(*arguments: str, output: int, **more: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, **more)  # type: ignore[call-overload]


def said(log: Path) -> str:
    return log.read_text(encoding="utf-8") if log.is_file() else ""


@pytest.mark.parametrize("kind", ["pipe", "terminal", "full disk"])
def test_output_that_cannot_be_written_goes_to_the_log(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    if kind == "full disk":
        if not Path("/dev/full").exists():
            pytest.skip("no device that is always full")
        near, far = os.open(os.devnull, os.O_RDONLY), os.open("/dev/full", os.O_WRONLY)
    else:
        near, far = os.pipe() if kind == "pipe" else os.openpty()
    process = start("-c", TALK, str(log), output=far)
    os.close(far)
    if kind != "full disk":
        assert b"before" in os.read(near, 100)
    os.close(near)
    process.communicate(b"\n", timeout=240)
    assert process.returncode == 0
    for line in ("out 2", "err 2", "by descriptor"):
        assert line in said(log)


def test_without_a_log_it_continues_silently(tmp_path: Path) -> None:
    near, far = os.pipe()
    process = start("-c", TALK, str(tmp_path / "no folder" / "run.log"), output=far)
    os.close(far)
    os.close(near)
    process.communicate(b"\n", timeout=240)
    assert process.returncode == 0


@pytest.mark.parametrize("moment", ["before torch is imported", "in training"])
def test_a_training_outlives_its_terminal(moment: str) -> None:
    run = make_run("life", steps=300)
    near, far = os.openpty()
    # A new session whose terminal it is: closing the other end hangs up, as closing a window does.
    code = (
        "import fcntl, sys, termios; fcntl.ioctl(1, termios.TIOCSCTTY, 0);"
        "from tinygpt_tui.cli.main import run; sys.exit(run(['resume', 'life']))"
    )
    process = start("-c", code, output=far, start_new_session=True)
    os.close(far)
    wait_until(lambda: run.status.exists())
    if moment == "in training":
        wait_until(lambda: any("Step" in str(event) for event in read_journal(run.events)))
    os.close(near)
    process.communicate(timeout=240)
    assert process.returncode == 0
    last = read_journal(run.events)[-1]
    assert isinstance(last, RunEnded)
    assert (last.reason, last.step) == ("finished", 300)
    assert "finished at step 300" in said(run.log)
