"""A stop that comes while the trainer still imports torch: the process ends, and the journal says how."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from makers import make_run

from tinygpt_tui.events.training import Note, RunEnded
from tinygpt_tui.files import take_lock
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.early_end import STOPPED_EARLY, end_of, stoppable
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import Journal, JournalFollower
from tinygpt_tui.workers.trainer import announce

IMPORTS_FOR_EVER = """
import sys
import threading
from pathlib import Path
from tinygpt_tui.runs.early_end import stoppable
from tinygpt_tui.runs.folder import RunFolder

with stoppable(RunFolder(Path(sys.argv[1])), lambda ended: print(ended.message, flush=True)):
    print("imports", flush=True)
    threading.Event().wait()
"""
PATIENCE_S = 60.0


@pytest.fixture
def run() -> RunFolder:
    """A run that was never trained."""
    made = make_run()
    made.folder.mkdir(exist_ok=True)
    return made


@pytest.fixture
def trainer(run: RunFolder) -> Iterator[subprocess.Popen[str]]:
    """A trainer that never gets to its training."""
    command = [sys.executable, "-c", IMPORTS_FOR_EVER, str(run.model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "imports\n"
        announce(run, process.pid)
        yield process
        process.kill()


def test_the_process_ends_and_the_run_is_stopped(run: RunFolder, trainer: subprocess.Popen[str]) -> None:
    Control(run.control).send("stop")
    assert trainer.communicate(timeout=PATIENCE_S)[0] == f"{STOPPED_EARLY}\n"
    assert trainer.returncode == 0
    (ended,) = JournalFollower(run.events).poll()
    assert isinstance(ended, RunEnded)
    assert (ended.reason, ended.message, ended.step) == ("stopped", STOPPED_EARLY, 0)
    status = run.read_status()
    assert (status.state, status.message) == ("stopped", STOPPED_EARLY)
    assert status.steps == run.read_settings().training.steps
    assert not Control(run.control).pending("stop")
    take_lock(run.lock).release()


def test_a_run_that_had_ended_stays_ended(run: RunFolder, trainer: subprocess.Popen[str]) -> None:
    before = RunEnded(1.0, 30, "finished", 30, 1.5, 9.0)
    journal = Journal(run.events)
    journal.append([before])
    journal.close()
    Control(run.control).send("stop")
    trainer.wait(PATIENCE_S)
    _, note, ended = JournalFollower(run.events).poll()
    assert isinstance(note, Note)
    assert STOPPED_EARLY in note.text
    assert ended == before == end_of(run)
    assert run.read_status().state == "finished"


def test_another_trainer_of_the_run_is_left_alone(run: RunFolder) -> None:
    Control(run.control).send("stop")
    lock = take_lock(run.lock)
    with stoppable(run):
        (watcher,) = [thread for thread in threading.enumerate() if thread.name == "stop before the start"]
        watcher.join(PATIENCE_S)
        assert not watcher.is_alive()
    lock.release()
    assert not Path(run.events).exists()


def test_one_of_several_processes_leaves_a_stop_to_the_training(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others would wait for it, for as long as torchrun lets them."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    Control(run.control).send("stop")
    with stoppable(run):
        assert "stop before the start" not in {thread.name for thread in threading.enumerate()}
    assert Control(run.control).pending("stop")


def test_a_stop_after_the_import_is_left_to_the_training(run: RunFolder) -> None:
    with stoppable(run):
        pass
    Control(run.control).send("stop")
    assert not Path(run.events).exists()
