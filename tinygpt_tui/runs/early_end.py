"""The end of a run whose training never began: its text could not be read, or a stop came first; no torch here."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

from tinygpt_tui.errors import StorageError, TinyGPTError
from tinygpt_tui.events.training import Note, RunEnded
from tinygpt_tui.files import take_lock
from tinygpt_tui.runs.control import Control, status_of
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import Journal, last_event

STOPPED_EARLY = "stopped before the first step"
POLL_S = 0.05


def end_of(run: RunFolder) -> RunEnded | None:
    """Return how a run ended that did not fail; None if it continues, or has not started."""
    last = last_event(run.events)
    return last if isinstance(last, RunEnded) and last.reason != "failed" else None


def record_early_end(run: RunFolder, journal: Journal, ended: RunEnded, before: RunEnded | None) -> None:
    """Write that the training never began to journal and status, as far as storage permits.

    A run that had ended `before` stays as it was: its journal has a note.
    """
    final = before or ended
    note = [Note(before.step, f"could not continue: {ended.message}", "warning")] if before else []
    earlier = None
    with contextlib.suppress(TinyGPTError):
        earlier = run.read_status()
    status = status_of(os.getpid(), final.reason, final.step, earlier.steps if earlier else 0, final.message)
    with contextlib.suppress(StorageError):
        journal.append([*note, final])
    with contextlib.suppress(StorageError):
        run.write_status(status)


@contextlib.contextmanager
def stoppable(run: RunFolder, said: Callable[[RunEnded], None] = lambda _: None) -> Iterator[None]:
    """Obey a stop while the block imports torch, which takes seconds: the end is recorded and `said`, the process ends.

    An import cannot be interrupted from another thread, and nothing has started that would have to be saved. Where
    torchrun has started several processes, the others wait for this one: the training ends them.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        control = Control(run.control)
        while not over.wait(POLL_S):
            if control.pending("stop"):
                with contextlib.suppress(OSError, StorageError):
                    _end(run, control, said)
                return

    watcher = threading.Thread(target=watch, daemon=True, name="stop before the start")
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _end(run: RunFolder, control: Control, said: Callable[[RunEnded], None]) -> None:
    """End the process, unless another trains the run (OSError) or the journal cannot be opened (StorageError)."""
    take_lock(run.lock)
    before, journal = end_of(run), Journal(run.events)
    step = 0
    with contextlib.suppress(TinyGPTError):
        step = run.read_status().step
    ended = RunEnded(time.time(), step, "stopped", 0, None, 0.0, STOPPED_EARLY)
    control.consume("stop")
    record_early_end(run, journal, ended, before)
    said(ended)
    os._exit(0)
