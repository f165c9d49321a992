"""Start, follow and control a run in a process of its own, which outlives the app; no torch here.

`python -m tinygpt_tui.workers.trainer MODEL_FOLDER` is that process.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

import msgspec
import psutil

from tinygpt_tui import platforms
from tinygpt_tui.errors import RunError, TinyGPTError, storage_error
from tinygpt_tui.events.training import TrainingEvent
from tinygpt_tui.packages import TRAINING, import_torch, require
from tinygpt_tui.reading import decode
from tinygpt_tui.runs.control import Control, is_alive, live_status, status_of
from tinygpt_tui.runs.early_end import stoppable
from tinygpt_tui.runs.extending import check_resumable
from tinygpt_tui.runs.folder import LIVE, RunFolder, RunSettings, RunStatus, steps_of
from tinygpt_tui.runs.journal import JournalFollower
from tinygpt_tui.workers.process import command, environment
from tinygpt_tui.workers.processes import process_group_of


def start_trainer(run: RunFolder, settings: RunSettings | None = None) -> int:
    """Start the trainer of `run` in a session of its own; return its process number.

    It starts the run or resumes it, with other `settings` if given. Raises RunError if the run is being trained already
    or cannot be resumed, CorpusError, MissingPackageError; nothing is written then.
    """
    require("torch", TRAINING)
    check_resumable(run)
    if live_status(run) is not None:
        raise RunError(f"{run.model.name} is already being trained", "stop it first, or watch it in the Train tab")
    changes = [msgspec.json.encode(settings).decode()] if settings is not None else []
    try:
        run.folder.mkdir(exist_ok=True)
        Control(run.control).clear()  # commands for an earlier trainer; later ones are for this one
        with run.log.open("ab") as log:
            process = platforms.start_detached(
                command("tinygpt_tui.workers.trainer", str(run.model.absolute()), *changes),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=run.model,
                env=environment(),
            )
    except OSError as error:
        raise storage_error(error, run.folder) from error
    announce(run, process.pid)  # before anything waits for it: until then even a dead process has a start time
    # It may outlive this process; if it ends before, waiting leaves no zombie.
    threading.Thread(target=process.wait, daemon=True, name=f"{run.model.name}'s end").start()
    return int(process.pid)


def announce(run: RunFolder, pid: int) -> None:
    """Write "starting" for a trainer that is still importing, so that it is visible at once, even if it dies."""
    with contextlib.suppress(TinyGPTError, psutil.Error):
        earlier = RunWatch(run).status()
        steps = steps_of(run.read_settings(), earlier)
        run.write_status(status_of(pid, "starting", earlier.step if earlier else 0, steps))


class RunWatch:
    """A run from outside: its new events, the trainer's state, and commands to the trainer."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self._journal = JournalFollower(run.events)
        self._control = Control(run.control)

    def poll(self) -> list[TrainingEvent]:
        """Return the events since the last call; the first call returns all there are."""
        return self._journal.poll()

    def status(self) -> RunStatus | None:
        """Return the trainer's last status; None before its first."""
        try:
            return self.run.read_status()
        except TinyGPTError:
            return None

    def alive(self) -> bool:
        """Whether the trainer's process runs (also while it pauses)."""
        return live_status(self.run) is not None

    def died(self) -> bool:
        """Whether the trainer ended without ending the run."""
        status = self.status()
        return status is not None and status.state in LIVE and not is_alive(status)

    def pause(self) -> None:
        """Ask the trainer to pause; it stays in memory."""
        self._control.send("pause")

    def resume(self) -> None:
        self._control.cancel("pause")

    def stop(self) -> None:
        """Ask the trainer to evaluate a last time, save the best weights, and end."""
        self._control.send("stop")

    def sample(self) -> None:
        self._control.send("sample")

    def save(self) -> None:
        self._control.send("save")


def main() -> int:
    """Train the model folder named on the command line; the journal has the events."""
    model = Path(sys.argv[1])
    settings = decode(sys.argv[2], RunSettings) if len(sys.argv) > 2 else None
    control = Control(RunFolder(model).control)

    def stop(number: int, frame: FrameType | None) -> None:
        control.send("stop")

    platforms.on_signals([*platforms.STOP_SIGNALS, platforms.HANG_UP], stop)
    platforms.lower_priority(5)  # the computer should stay usable
    try:
        with stoppable(RunFolder(model)):
            import_torch(TRAINING)
            from tinygpt_tui.training.run import run_training

        with process_group_of(RunFolder(model)) as team:
            for _ in run_training(model, settings=settings, keep_earlier_commands=True, group=team):
                pass
    except TinyGPTError as error:
        print(error.message, error.hint, sep="\n", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
