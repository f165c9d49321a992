"""A trainer in a process of its own, watched and steered from outside."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from makers import make_run, wait_until

from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.errors import ExitCode, RunError
from tinygpt_tui.events.training import (
    Evaluation,
    Note,
    Paused,
    Resumed,
    RunEnded,
    RunStarted,
    Sample,
    Saved,
    Step,
    TrainingEvent,
)
from tinygpt_tui.runs.extending import extended
from tinygpt_tui.runs.folder import RunFolder, RunSettings
from tinygpt_tui.runs.index import list_runs
from tinygpt_tui.workers import trainer
from tinygpt_tui.workers.trainer import RunWatch, start_trainer


class Watched(RunWatch):
    """Keeps every event it has seen, and the pids it has started."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__(run)
        self.seen: list[TrainingEvent] = []
        self.pids: list[int] = []

    def start(self, settings: RunSettings | None = None) -> None:
        self.pids.append(start_trainer(self.run, settings))

    def sees(self, kind: type) -> bool:
        self.seen += self.poll()
        return any(isinstance(event, kind) for event in self.seen)

    def end(self) -> RunEnded:
        """Wait for the end of the run."""
        wait_until(lambda: self.sees(RunEnded) or self.died())
        last = self.seen[-1]
        assert isinstance(last, RunEnded), self.run.log.read_text(encoding="utf-8")
        return last

    def steps(self) -> list[int]:
        return [event.step for event in self.seen if isinstance(event, Step)]


@pytest.fixture
def watch(request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A run of as many steps as the test says; what still lives afterwards is killed."""
    steps = getattr(request, "param", 20)
    found = Watched(make_run(steps=steps, evaluate_every=max(10, steps // 2)))
    yield found
    for pid in found.pids:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_whole_training_seen_from_outside(watch: Watched) -> None:
    assert (watch.status(), watch.alive(), watch.died(), watch.poll()) == (None, False, False, [])
    watch.start()
    assert watch.alive()  # from the first moment, though it is still importing
    assert not watch.died()
    status = watch.status()
    assert status is not None
    assert (status.state, status.steps) == ("starting", 20)
    with pytest.raises(RunError, match="already"):
        start_trainer(watch.run)
    end = watch.end()
    assert (end.reason, end.step) == ("finished", 20)
    assert isinstance(watch.seen[0], RunStarted)
    assert watch.steps() == list(range(1, 21))
    wait_until(lambda: gone(watch.pids[0]))
    assert not watch.alive()
    assert not watch.died()
    assert load(watch.run.model).config.trained is not None
    assert watch.run.log.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("watch", [1_000_000], indirect=True)
def test_it_does_what_it_is_asked(watch: Watched) -> None:
    watch.start()
    if os.name == "posix":
        assert os.getsid(watch.pids[0]) != os.getsid(0)  # it outlives the terminal
    wait_until(lambda: watch.sees(Step))
    watch.pause()
    wait_until(lambda: watch.sees(Paused))
    wait_until(lambda: (status := watch.status()) is not None and status.state == "paused")
    assert watch.alive()
    samples = sum(isinstance(event, Sample) for event in watch.seen)
    watch.sample()
    watch.save()
    watch.resume()
    wait_until(lambda: watch.sees(Resumed) and watch.sees(Saved))
    wait_until(lambda: watch.sees(Step) and sum(isinstance(event, Sample) for event in watch.seen) > samples)
    wait_until(watch.run.resume.exists)
    watch.stop()
    end = watch.end()
    assert end.reason == "stopped"
    last = [event for event in watch.seen if isinstance(event, Evaluation)][-1]
    assert last.step == end.step


@pytest.mark.parametrize("watch", [1_000_000], indirect=True)
def test_a_stop_right_after_the_start_is_heeded(watch: Watched) -> None:
    watch.start()
    watch.stop()
    assert watch.end().reason == "stopped"
    assert watch.steps() == []


@pytest.mark.parametrize("watch", [1_000_000], indirect=True)
@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_polite_signal_is_a_stop(watch: Watched) -> None:
    watch.start()
    wait_until(lambda: watch.sees(Step))
    os.kill(watch.pids[0], signal.SIGTERM)
    assert watch.end().reason == "stopped"


@pytest.mark.parametrize("watch", [1_000_000], indirect=True)
def test_killed_it_goes_on_from_the_saved_state_to_the_end(watch: Watched) -> None:
    watch.start()
    wait_until(lambda: watch.sees(Step))
    watch.save()
    wait_until(watch.run.resume.exists)
    watch.pause()
    wait_until(lambda: (status := watch.status()) is not None and status.state == "paused")
    assert watch.sees(Paused)
    saved = [event.step for event in watch.seen if event == Saved(event.step, "resume")][-1]  # a pause may save, too
    reached = watch.steps()[-1]
    assert 0 < saved <= reached
    last = reached + 50
    os.kill(watch.pids[0], signal.SIGKILL)
    wait_until(watch.died)
    assert not watch.alive()
    assert [card.state for card in list_runs() if card.name == "cat"] == ["failed"]
    with watch.run.events.open("ab") as journal:
        journal.write(b'{"type":"Step","step":')  # as a kill in mid-line leaves it

    watch.start(extended(watch.run, str(last)))
    assert watch.alive()
    assert not watch.died()
    status = watch.status()
    assert status is not None
    assert status.step == reached
    end = watch.end()
    assert (end.reason, end.step) == ("finished", last)
    assert Note(saved, f"resuming from step {saved}") in watch.seen
    assert watch.steps() == [*range(1, reached + 1), *range(saved + 1, last + 1)]  # and the pause was not left over


def test_a_trainer_that_cannot_begin_says_so(watch: Watched) -> None:
    Path(watch.run.read_settings().corpus.path).unlink()
    watch.start()
    end = watch.end()
    assert end.reason == "failed"
    assert "there is no file" in end.message


def test_a_trainer_that_dies_before_its_first_word_has_died(watch: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "command", lambda *arguments: [sys.executable, "-c", "raise SystemExit(1)"])
    watch.start()
    wait_until(watch.died)
    assert watch.poll() == []


def test_one_that_is_dead_before_it_is_announced_has_died_too(watch: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "command", lambda *arguments: [sys.executable, "-c", "raise SystemExit(1)"])
    announce = trainer.announce

    def late(run: RunFolder, pid: int) -> None:
        wait_until(lambda: gone(pid))
        announce(run, pid)

    monkeypatch.setattr(trainer, "announce", late)
    watch.start()
    wait_until(watch.died)


def test_a_second_trainer_ends_with_the_runs_exit_code(
    watch: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import filelock

    handlers = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    monkeypatch.setattr(trainer.platforms, "lower_priority", lambda niceness: None)
    monkeypatch.setattr("sys.argv", ["trainer", str(watch.run.model)])
    try:
        with filelock.FileLock(watch.run.lock):
            assert trainer.main() == ExitCode.RUN
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
    assert "already being trained" in capsys.readouterr().err
