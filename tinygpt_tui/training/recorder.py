"""What a training leaves on the disk while it runs: journal, status, best weights, and the state to resume from."""

from __future__ import annotations

import io
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

import torch

from tinygpt_tui.checkpoints.native import write_trained, write_weights
from tinygpt_tui.errors import InUseError, RunError, StorageError
from tinygpt_tui.events.training import Evaluation, Paused, Progress, Resumed, RolledBack, Saved, TrainingEvent
from tinygpt_tui.files import whole_file
from tinygpt_tui.runs.control import Control, status_of
from tinygpt_tui.runs.folder import RunFolder, RunState
from tinygpt_tui.runs.journal import Journal
from tinygpt_tui.settings.model_config import TrainedOn
from tinygpt_tui.training.evaluations import PROGRESS_S
from tinygpt_tui.training.loop import Training

R = TypeVar("R")
STATUS_EVERY_S = 1.0
RESUME_EVERY_S = 20.0
RESUME_AFTER_EVALUATION_S = 5.0  # what was just measured is worth saving sooner
RESUME_SHARE = 0.01  # of the time, at most
STATE_BYTES_AT_ONCE = 1 << 25
LARGE_MODEL = 20_000_000  # parameters; its state takes more than a second to put together and to write
ROOM_POLL_S, ROOM_POLLS = 0.1, 20  # looks for a stop, this many between two tries to write


class Recorder:
    """The files of a run in training. If storage refuses, the run pauses until there is room again."""

    def __init__(self, folder: RunFolder, control: Control) -> None:
        """Open the journal. Raises StorageError."""
        self.journal = Journal(folder.events)
        self.step = 0  # where an earlier trainer left the run, until there is a training
        self.steps = 0
        self._folder, self._control = folder, control
        self._status_at = self._resume_at = time.monotonic()
        self._saving_s = 0.0
        self._saved_choice = ""
        self._state: RunState = "running"  # or paused
        self._training: Training | None = None

    def begin(self, training: Training) -> None:
        self._training = training
        self._saved_choice = training.compiling.choice

    def log(self, event: TrainingEvent) -> Iterator[TrainingEvent]:
        yield from self.write(lambda: self.journal.append([event]))
        yield event

    def logged(self, events: Generator[TrainingEvent, None, R]) -> Generator[TrainingEvent, None, R]:
        """Log and yield what a generator yields; return what it returns."""
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            yield from self.log(event)

    def save(self, event: TrainingEvent, corpus: str) -> Iterator[TrainingEvent]:
        """Write the weights if they are the best so far, and the state if it is time; `corpus` names the text."""
        training = self._training
        assert training is not None
        if isinstance(event, Evaluation):
            trained = TrainedOn(
                corpus=corpus,
                step=event.best_step,
                validation_loss=event.best_loss,
                tokens=event.best_tokens,
                characters_per_token=training.corpus.characters_per_token,
            )
            if event.best_step == event.step:
                yield from self.write(lambda: write_weights(self._folder.model, training.trained, trained))
                yield from self.log(Saved(event.step, "best"))
            elif event.part_loss is not None:  # the best ones were measured again, on all that a final one reads
                yield from self.write(lambda: write_trained(self._folder.model, trained))
        if self._control.consume("save") or self._is_time_to_save(event, training):
            yield from self.save_resume()

    def save_resume(self) -> Iterator[TrainingEvent]:
        training = self._training
        assert training is not None
        started = time.perf_counter()
        if training.model.count_parameters() > LARGE_MODEL:
            yield from self._progress(0.0)
        content = io.BytesIO()
        torch.save(training.state(), content)
        yield from self.write(self.journal.sync)  # the journal must not lack what comes before the state
        yield from self.write(lambda: self._write_state(content.getbuffer()))
        self._resume_at, self._saving_s = time.monotonic(), time.perf_counter() - started
        self._saved_choice = training.compiling.choice
        yield from self.log(Saved(training.step, "resume"))

    def _write_state(self, content: memoryview) -> Iterator[TrainingEvent]:
        """Write the state; yield its progress if that takes long. Raises StorageError."""
        reported_at = time.monotonic()
        with whole_file(self._folder.resume, len(content), within=self._folder.folder) as file:
            for start in range(0, len(content), STATE_BYTES_AT_ONCE):
                file.write(content[start : start + STATE_BYTES_AT_ONCE])
                if len(content) <= STATE_BYTES_AT_ONCE:
                    continue
                os.fsync(file.fileno())  # now, or all of it would be waited for at the end
                if time.monotonic() - reported_at > PROGRESS_S:
                    reported_at = time.monotonic()
                    yield from self._progress(start / len(content))

    def _progress(self, share: float) -> Iterator[TrainingEvent]:
        progress = Progress(self.current_step, "saving", share)
        self.attempt(lambda: self.journal.append([progress]))
        yield progress

    def write(self, write: Callable[[], Iterable[TrainingEvent] | None]) -> Iterator[TrainingEvent]:
        """Call `write`; if storage refuses, pause the run until there is room again or the user stops it."""
        step = self.current_step
        waiting = False
        while True:
            try:
                yield from write() or ()
                break
            except StorageError as error:
                self._check_there()
                if self._control.pending("stop"):
                    raise
                message = error.message
                self.attempt(lambda: self.report("paused", message))  # noqa: B023
                if not waiting:
                    waiting = True
                    if self._training:
                        self._training.time_budget.stop_clock()
                    paused = Paused(step, f"{error.message}; {error.hint}")
                    self.attempt(lambda: self.journal.append([paused]))  # noqa: B023
                    yield paused
                if not isinstance(error, InUseError):  # that one waits a second by itself
                    self._wait_for_room()
        if waiting:
            if self._training:
                self._training.time_budget.start_clock()
            yield from self.log(Resumed(step))

    def _wait_for_room(self) -> None:
        for _ in range(ROOM_POLLS):
            if self._control.pending("stop"):
                return
            time.sleep(ROOM_POLL_S)

    def report(self, state: RunState, message: str = "") -> None:
        """Write the status. Raises StorageError."""
        self._status_at = time.monotonic()
        steps = self._training.settings.steps if self._training else self.steps
        self._folder.write_status(status_of(os.getpid(), state, self.current_step, steps, message))

    def report_progress(self, event: TrainingEvent) -> None:
        """Write the status after an event, if it is time. Raises RunError if the model is gone."""
        if isinstance(event, Paused | Resumed):
            self._state = "paused" if isinstance(event, Paused) else "running"
            self.attempt(lambda: self.report(self._state))
        elif time.monotonic() - self._status_at > STATUS_EVERY_S:
            self._check_there()
            self.attempt(lambda: self.report(self._state))

    def write_traceback(self) -> bool:
        """Append the current traceback to the log, unless stderr goes there; return whether the log has it."""
        try:
            with self._folder.log.open("a", encoding="utf-8", errors="replace") as log:
                if not os.path.sameopenfile(log.fileno(), 2):
                    traceback.print_exc(file=log)
        except OSError:
            return False
        return True

    @staticmethod
    def attempt(write: Callable[[], None]) -> None:
        """Call `write`, which may fail: a full disk must not end the training for a status."""
        try:
            write()
        except (StorageError, OSError):
            return

    def _is_time_to_save(self, event: TrainingEvent, training: Training) -> bool:
        if isinstance(event, Paused | RolledBack) or training.compiling.choice != self._saved_choice:
            return True  # a user who pauses may close the lid; and a decision must not be made twice
        wait_s = RESUME_AFTER_EVALUATION_S if isinstance(event, Evaluation) else RESUME_EVERY_S
        return time.monotonic() - self._resume_at > max(wait_s, self._saving_s / RESUME_SHARE)

    def _check_there(self) -> None:
        """Raise RunError if the model was deleted or renamed; if its whole disk is gone, it may come back."""
        model = self._folder.model
        if model.parent.is_dir() and not self._folder.folder.is_dir():
            raise RunError(f"{model} is gone", "it was deleted or renamed while it was being trained")

    @property
    def current_step(self) -> int:
        """How many steps are done, here or by an earlier trainer."""
        return self._training.step if self._training else self.step
