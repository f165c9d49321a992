"""The latest weights of a run in training, for chats with it: its best weights may be old by then.

After an evaluation that is the best so far, the saved weights are the latest ones and nothing more is written. When a
run ends its live weights are removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from tinygpt_tui import files
from tinygpt_tui.errors import storage_error
from tinygpt_tui.events.training import Evaluation, RolledBack, Step, TrainingEvent
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.timeline import write_now

EVERY_S = 20.0  # between evaluations that are far apart


class LiveWeights:
    """The file of the latest weights; call `after` after each event of the loop."""

    def __init__(self, run: RunFolder, training: Training) -> None:
        self._run, self._training = run, training
        self._measured: Evaluation | None = None
        self._written_at = time.monotonic()

    def after(self, event: TrainingEvent) -> Callable[[], None] | None:
        """Return what must be done on the disk, if anything; it raises StorageError, and may be called again."""
        if isinstance(event, RolledBack):
            return self.remove
        if isinstance(event, Evaluation):
            self._measured = event
        elif not isinstance(event, Step) or time.monotonic() - self._written_at < EVERY_S:
            return None
        self._written_at = time.monotonic()
        if isinstance(event, Evaluation) and event.best_step == event.step:
            return self.remove
        return partial(
            write_now, self._run, self._run.live_weights, self._training, self._training.step, self._measured
        )

    def remove(self) -> None:
        """Remove the file: the saved weights are the ones to use. Raises StorageError."""
        try:
            files.remove(self._run.live_weights)
        except OSError as error:
            raise storage_error(error, self._run.live_weights) from error
