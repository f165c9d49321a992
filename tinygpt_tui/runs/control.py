"""Commands to a trainer from any terminal: an empty file for each in the run's control folder.

A command sent twice is one command, and a check costs a few microseconds a step.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal, get_args

import psutil

from tinygpt_tui.errors import RunError, TinyGPTError, storage_error
from tinygpt_tui.files import remove
from tinygpt_tui.platforms import since_boot
from tinygpt_tui.runs.folder import LIVE, RunFolder, RunState, RunStatus

Command = Literal["stop", "pause", "save", "sample"]
COMMANDS: tuple[Command, ...] = get_args(Command)
# A process's start is computed from the machine's start, which moves a little when the clock is set.
START_TOLERANCE_S = 10.0
TICK_S = 0.1


class Control:
    """Both ends of the control folder: others `send` and `cancel`, the trainer checks `pending` and `consume`s."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, command: Command) -> None:
        """Send a command. Raises StorageError."""
        try:
            self._folder.mkdir(exist_ok=True)  # not the run's folder: the user may have deleted that
            (self._folder / command).touch()
        except OSError as error:
            raise storage_error(error, self._folder) from error

    def cancel(self, command: Command) -> None:
        """Cancel a command (which ends a pause), if there is one. Raises StorageError."""
        try:
            remove(self._folder / command)
        except OSError as error:
            raise storage_error(error, self._folder / command) from error

    def pending(self, command: Command) -> bool:
        """Whether this command was sent and not consumed."""
        return (self._folder / command).exists()

    def consume(self, command: Command) -> bool:
        """Remove a command; return whether it was there. False if it cannot be removed now: it stays pending."""
        if not self.pending(command):
            return False
        try:
            remove(self._folder / command, wait_s=0)  # the trainer calls this at every step
        except OSError:
            return False
        return True

    def clear(self) -> None:
        """Cancel commands that were meant for an earlier trainer. Raises StorageError."""
        for command in COMMANDS:
            self.cancel(command)


def process_started_at(pid: int | None = None) -> float:
    """Return when a process started, this one without `pid`, in seconds since 1970.

    With the pid it identifies the process. Raises psutil.Error where there is none.
    """
    return float(psutil.Process(pid).create_time())


def status_of(pid: int, state: RunState, step: int, steps: int, message: str = "") -> RunStatus:
    """Return the status that a trainer reports now whose process is `pid`. Raises psutil.Error where there is none."""
    return RunStatus(
        state=state,
        step=step,
        steps=steps,
        pid=pid,
        pid_created=process_started_at(pid),
        pid_since_boot=since_boot(pid),
        time=time.time(),
        message=message,
    )


def is_alive(status: RunStatus) -> bool:
    """Whether the process that wrote `status` still runs; a reused process number does not count."""
    try:
        process = psutil.Process(status.pid)
        if status.pid_since_boot and (found := since_boot(status.pid)):
            same = abs(found - status.pid_since_boot) < TICK_S
        else:
            same = abs(process.create_time() - status.pid_created) < START_TOLERANCE_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def live_status(run: RunFolder) -> RunStatus | None:
    """Return the status of a run whose trainer is alive, else None."""
    try:
        status = run.read_status()
    except TinyGPTError:
        return None
    return status if status.state in LIVE and is_alive(status) else None


def status_of_live(run: RunFolder) -> RunStatus:
    """Return the status of a run that is being trained now. Raises RunError if it is not."""
    status = live_status(run)
    if status is None:
        raise RunError(f"{run.model.name} is not being trained now", "`tinygpt-tui runs` shows which runs are live")
    return status
