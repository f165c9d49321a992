"""Wishes by any terminal, and whether a trainer lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from makers import make_run, wait_until

from tinygpt_tui.errors import RunError, StorageError
from tinygpt_tui.platforms import since_boot
from tinygpt_tui.runs.control import Control, is_alive, live_status, process_started_at, status_of_live
from tinygpt_tui.runs.folder import RunStatus


def status(**changes: object) -> RunStatus:
    chosen = {
        "state": "running",
        "step": 3,
        "steps": 10,
        "pid": os.getpid(),
        "pid_created": process_started_at(),
        "time": 1.0,
    }
    return RunStatus(**{**chosen, **changes})  # type: ignore[arg-type]


def test_a_wish_is_there_until_it_is_taken(tmp_path: Path) -> None:
    asker, trainer = Control(tmp_path / "control"), Control(tmp_path / "control")
    assert not trainer.pending("stop")
    assert not trainer.consume("stop")
    asker.send("stop")
    asker.send("stop")
    assert trainer.pending("stop")
    assert not trainer.pending("pause")
    assert trainer.consume("stop")
    assert not trainer.consume("stop")


def test_a_wish_can_be_withdrawn_and_all_can_be_cleared(tmp_path: Path) -> None:
    control = Control(tmp_path / "control")
    control.cancel("pause")
    control.clear()
    control.send("pause")
    control.cancel("pause")
    assert not control.pending("pause")
    commands = ("stop", "pause", "save", "sample")
    for command in commands:
        control.send(command)
    control.clear()
    assert not any(control.pending(command) for command in commands)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "control").write_bytes(b"")
    with pytest.raises(StorageError):
        Control(tmp_path / "control").send("stop")


def test_a_process_lives_by_number_and_birth() -> None:
    assert is_alive(status())
    assert not is_alive(status(pid_created=process_started_at() - 3600))  # the number was given to somebody else
    assert not is_alive(status(pid=_free_number()))


@pytest.mark.skipif(not since_boot(os.getpid()), reason="this platform does not tell when a process began")
def test_a_clock_that_is_set_kills_nobody() -> None:
    here = since_boot(os.getpid())
    assert is_alive(
        status(pid_created=process_started_at() - 7200, pid_since_boot=here)
    )  # the clock went on by two hours
    assert not is_alive(status(pid_since_boot=here - 1))
    assert is_alive(status(pid_since_boot=0.0))  # an older program wrote it


def test_a_process_that_ended_is_dead_also_while_nobody_has_waited_for_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    born = psutil.Process(process.pid).create_time()
    assert is_alive(status(pid=process.pid, pid_created=born))
    process.kill()
    wait_until(lambda: not is_alive(status(pid=process.pid, pid_created=born)))
    process.communicate()
    assert not is_alive(status(pid=process.pid, pid_created=born))


def test_only_a_live_trainer_has_a_status_to_control() -> None:
    run = make_run()
    assert live_status(run) is None
    for dead in (status(state="finished"), status(pid=_free_number())):
        run.write_status(dead)
        with pytest.raises(RunError) as caught:
            status_of_live(run)
        assert caught.value.hint
    run.write_status(status(state="paused"))
    assert status_of_live(run).state == "paused"


def test_a_damaged_status_is_not_alive() -> None:
    run = make_run()
    for content in (b"", b"{", b'{"state": "\xff"}', b'{"state": "dancing"}'):
        run.status.write_bytes(content)
        assert live_status(run) is None
        with pytest.raises(RunError):
            run.read_status()


def _free_number() -> int:
    return next(number for number in range(4_000_000, 1000, -1) if not psutil.pid_exists(number))
