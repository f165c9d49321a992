"""A training that leaves everything on the disk: lock, journal, status, best weights, and the state to go on from."""

from __future__ import annotations

import contextlib
import io
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import filelock
import torch

from tinygpt_tui.checkpoints.native import write_trained, write_weights
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.errors import InUseError, RunError, StorageError, TinyGPTError, storage_error
from tinygpt_tui.events.training import (
    Evaluation,
    Note,
    Paused,
    Progress,
    Resumed,
    RolledBack,
    RunEnded,
    RunStarted,
    Saved,
    TrainingEvent,
)
from tinygpt_tui.files import remove, remove_parts, take_lock, write_bytes
from tinygpt_tui.planning.shortage import is_shortage, shortage
from tinygpt_tui.platforms import since_boot
from tinygpt_tui.runs.control import Control, process_started_at
from tinygpt_tui.runs.folder import RunFolder, RunSettings, RunState, RunStatus, steps_of
from tinygpt_tui.runs.journal import Journal, last_event
from tinygpt_tui.settings.model_config import TrainedOn
from tinygpt_tui.training.distributed import ALONE, ProcessGroup
from tinygpt_tui.training.health import HealthCheck
from tinygpt_tui.training.live_weights import LiveWeights
from tinygpt_tui.training.loop import DivergedError, Training
from tinygpt_tui.training.prepare import StoppedEarly, preparing
from tinygpt_tui.training.timeline import Timeline

R = TypeVar("R")
STATUS_EVERY_S = 1.0
RESUME_EVERY_S = 20.0
RESUME_AFTER_EVALUATION_S = 5.0  # what was just measured is worth keeping sooner
RESUME_SHARE = 0.01  # of the time, at most
ROOM_LOOK_S = 2.0


def run_training(
    model: Path,
    *,
    settings: RunSettings | None = None,
    corpus: Corpus | None = None,
    keep_earlier_commands: bool = False,
    group: ProcessGroup = ALONE,
) -> Iterator[TrainingEvent]:
    """Train what `MODEL/run/settings.json` describes, from the start or from where it was left.

    Other `settings` replace those once all is read and built. Where that fails, a run that had ended stays as it was:
    its journal has a note. `corpus` is its text, where that was read already.

    Every event is in the journal before it is yielded, except a pause because nothing can be written, and that failure.
    The last event is RunEnded; an unexpected exception is raised after it was written down. A run that is already being
    trained raises RunError, a folder that cannot be written StorageError, both before the first event. Requests from
    before the start are dropped, unless the starter has cleared them away itself (`keep_earlier_commands`). Other
    processes of the `group` do what this one, the first, says.
    """
    folder = RunFolder(model)
    try:
        folder.folder.mkdir(exist_ok=True)
        lock = take_lock(folder.lock)
    except filelock.Timeout:
        raise RunError(f"{model.name} is already being trained", "`tinygpt-tui runs` shows where it stands") from None
    except OSError as error:
        raise storage_error(error, folder.folder) from error
    try:
        if not keep_earlier_commands:
            Control(folder.control).clear()
        for place in (folder.model, folder.folder, folder.timeline):
            remove_parts(place)
        yield from _Run(folder, group, settings, corpus).events()
    finally:
        lock.release()


class _Run:
    """One going-on of a run: the loop's events, with what they mean for the disk done before they are passed on."""

    def __init__(
        self, folder: RunFolder, group: ProcessGroup, settings: RunSettings | None = None, corpus: Corpus | None = None
    ) -> None:
        self._folder = folder
        self._group = group
        self._settings, self._corpus = settings, corpus
        self._control = Control(folder.control)
        last = last_event(folder.events)
        self._before = last if isinstance(last, RunEnded) and last.reason != "failed" else None
        self._journal = Journal(folder.events)
        self._born, self._since_boot = process_started_at(), since_boot(os.getpid())
        self._status_at = self._resume_at = time.monotonic()
        self._saving_s = 0.0
        self._saved_choice = ""
        self._state: RunState = "running"  # or paused, whatever is told meanwhile
        self._training: Training | None = None
        self._stood_at = 0  # where an earlier trainer left the run

    def events(self) -> Iterator[TrainingEvent]:
        reason, message, hint = "failed", "", ""
        cause: Literal["", "diverged"] = ""
        steps = 0
        try:
            kept = self._folder.read_settings()
            settings, corpus = self._settings or kept, self._corpus
            self._corpus = None  # the training has it
            steps = self._announce(kept)
            steps_before = preparing(self._folder, settings, self._control, self._group, corpus)
            ready = yield from self._logged(steps_before)
            self._training = training = ready.training
            steps = training.settings.steps
            self._saved_choice = training.compiling.choice
            yield from self._log(self._started(training))
            for text in ready.notes:
                yield from self._log(Note(training.step, text))
            if ready.keep_at_once:
                yield from self._save_resume()
            timeline, newest = Timeline(self._folder, training), LiveWeights(self._folder, training)
            self._try(newest.forget)  # an earlier trainer was killed
            health = HealthCheck(settings.training, training.corpus.train, training.corpus.validation)
            self._say("running", steps)
            for event in training.events():
                steps = training.settings.steps  # a run by the clock plans them as it goes
                yield from self._log(event)
                if isinstance(event, Progress):  # in the middle of something: there is no state to save
                    self._say_now_and_then(event, steps)
                    continue
                yield from self._keep(event, settings)
                if (write_moment := timeline.after(event)) is not None:
                    yield from self._insist(write_moment)
                if (write := newest.after(event)) is not None:
                    yield from self._insist(write)
                for finding in health.after(event, training.model):
                    yield from self._log(finding)
                self._say_now_and_then(event, steps)
            yield from self._save_resume()
            message = training.evaluations.ends_early
            reason = "stopped" if training.stopped and not training.complete and not message else "finished"
        except StoppedEarly:
            reason, message = "stopped", "stopped before it began"
        except TinyGPTError as error:
            message, hint = error.message, error.hint
            cause = "diverged" if isinstance(error, DivergedError) else ""
        except (KeyboardInterrupt, GeneratorExit):
            reason, message, hint = "stopped", "interrupted", "it goes on from the state that was last saved"
            raise
        except Exception as error:
            if self._training is None or not is_shortage(error):
                message = f"unexpected: {type(error).__name__}: {error}"
                hint = f"the details are in {self._folder.log}" if self._traceback_written() else ""
                raise
            traceback.clear_frames(error.__traceback__)  # they hold what did not fit
            message, hint = shortage(self._training.settings, self._training.device)
        finally:
            self._try(lambda: remove(self._folder.live_weights))
            ended = self._ended(reason, message, hint, cause)
            if self._training is None and self._before is not None:
                self._stay_ended(self._before, steps, message)
            else:
                self._try(lambda: self._journal.append([ended]))
                state: RunState = {"stopped": "stopped", "finished": "finished"}.get(reason, "failed")  # type: ignore[assignment]
                self._try(lambda: self._say(state, steps, message))
            self._journal.close()
        yield ended

    def _stay_ended(self, before: RunEnded, steps: int, message: str) -> None:
        """Leave a run that could not continue as it was."""
        note = Note(before.step, f"could not continue: {message}", "warning")
        self._try(lambda: self._journal.append([note, before]))
        self._stood_at = before.step
        self._try(lambda: self._say(before.reason, steps, before.message))

    def _logged(self, events: Generator[TrainingEvent, None, R]) -> Generator[TrainingEvent, None, R]:
        """Write down and yield what a generator yields; return what it returns."""
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            yield from self._log(event)

    def _traceback_written(self) -> bool:
        """Whether the log has the traceback of the current exception: this appends it, where stderr does not."""
        try:
            with self._folder.log.open("a", encoding="utf-8", errors="replace") as log:
                if not os.path.sameopenfile(log.fileno(), 2):
                    traceback.print_exc(file=log)
        except OSError:
            return False
        return True

    def _announce(self, settings: RunSettings) -> int:
        """Say that the run begins, or goes on from where it was left; return how many steps it is to make."""
        earlier = None
        with contextlib.suppress(TinyGPTError):
            earlier = self._folder.read_status()
            self._stood_at = earlier.step
        steps = steps_of(settings, earlier)
        self._say("starting", steps)
        return steps

    def _started(self, training: Training) -> RunStarted:
        return RunStarted(
            time=time.time(),
            step=training.step,
            steps=training.settings.steps,
            parameters=training.model.count_parameters(),
            train_tokens=len(training.corpus.train),
            validation_tokens=len(training.corpus.validation),
            device=str(training.device),
            threads=torch.get_num_threads(),
        )

    def _ended(self, reason: str, message: str, hint: str, cause: Literal["", "diverged"]) -> RunEnded:
        training = self._training
        measured = training is not None and training.evaluations.best_loss < float("inf")
        return RunEnded(
            time=time.time(),
            step=self._step,
            reason=reason,  # type: ignore[arg-type]
            best_step=training.evaluations.best_step if training else 0,
            best_loss=training.evaluations.best_loss if training and measured else None,
            best_tokens=training.evaluations.best_tokens if training else 0,
            elapsed_s=training.elapsed_s if training else 0.0,
            message=message,
            hint=hint,
            cause=cause,
        )

    def _log(self, event: TrainingEvent) -> Iterator[TrainingEvent]:
        yield from self._insist(lambda: self._journal.append([event]))
        yield event

    def _keep(self, event: TrainingEvent, settings: RunSettings) -> Iterator[TrainingEvent]:
        training = self._training
        assert training is not None
        if isinstance(event, Evaluation):
            trained = TrainedOn(
                corpus=settings.corpus.name,
                step=event.best_step,
                validation_loss=event.best_loss,
                tokens=event.best_tokens,
            )
            if event.best_step == event.step:
                yield from self._insist(lambda: write_weights(self._folder.model, training.model, trained))
                yield from self._log(Saved(event.step, "best"))
            elif event.part_loss is not None:  # the kept ones were measured again, on all that judges
                yield from self._insist(lambda: write_trained(self._folder.model, trained))
        if self._control.consume("save") or self._is_time_to_save(event, training):
            yield from self._save_resume()

    def _is_time_to_save(self, event: TrainingEvent, training: Training) -> bool:
        if isinstance(event, Paused | RolledBack) or training.compiling.choice != self._saved_choice:
            return True  # who pauses may close the lid; and what was decided must not be decided anew
        wait_s = RESUME_AFTER_EVALUATION_S if isinstance(event, Evaluation) else RESUME_EVERY_S
        return time.monotonic() - self._resume_at > max(wait_s, self._saving_s / RESUME_SHARE)

    def _save_resume(self) -> Iterator[TrainingEvent]:
        training = self._training
        assert training is not None
        began = time.perf_counter()
        content = io.BytesIO()
        torch.save(training.state(), content)
        yield from self._insist(self._journal.sync)  # the journal must not lack what comes before the state
        yield from self._insist(
            lambda: write_bytes(self._folder.resume, content.getbuffer(), within=self._folder.folder)
        )
        self._resume_at, self._saving_s = time.monotonic(), time.perf_counter() - began
        self._saved_choice = training.compiling.choice
        yield from self._log(Saved(training.step, "resume"))

    def _insist(self, write: Callable[[], None]) -> Iterator[TrainingEvent]:
        """Write; where storage refuses, pause the run until there is room again or somebody stops it."""
        step = self._step
        waiting = False
        while True:
            try:
                write()
                break
            except StorageError as error:
                self._check_there()
                if self._control.pending("stop"):
                    raise
                self._say_refused(error)
                if not waiting:
                    waiting = True
                    if self._training:
                        self._training.time_budget.stop_clock()
                    paused = Paused(step, f"{error.message}; {error.hint}")
                    self._try(lambda: self._journal.append([paused]))  # noqa: B023
                    yield paused
                if not isinstance(error, InUseError):  # that one waits a second by itself
                    time.sleep(ROOM_LOOK_S)
        if waiting:
            if self._training:
                self._training.time_budget.start_clock()
            yield from self._log(Resumed(step))

    def _check_there(self) -> None:
        """Raise RunError where the model was deleted or renamed; if its whole disk is gone, it may come back."""
        model = self._folder.model
        if model.parent.is_dir() and not self._folder.folder.is_dir():
            raise RunError(f"{model} is gone", "it was deleted or renamed while it was being trained")

    def _say_refused(self, error: StorageError) -> None:
        steps = self._training.settings.steps if self._training else 0
        self._try(lambda: self._say("paused", steps, error.message))

    def _say_now_and_then(self, event: TrainingEvent, steps: int) -> None:
        if isinstance(event, Paused | Resumed):
            self._state = "paused" if isinstance(event, Paused) else "running"
            self._try(lambda: self._say(self._state, steps))
        elif time.monotonic() - self._status_at > STATUS_EVERY_S:
            self._check_there()
            self._try(lambda: self._say(self._state, steps))

    @property
    def _step(self) -> int:
        return self._training.step if self._training else self._stood_at

    def _say(self, state: RunState, steps: int, message: str = "") -> None:
        self._status_at = time.monotonic()
        self._folder.write_status(
            RunStatus(
                state=state,
                step=self._step,
                steps=steps,
                pid=os.getpid(),
                pid_created=self._born,
                pid_since_boot=self._since_boot,
                time=time.time(),
                message=message,
            )
        )

    @staticmethod
    def _try(write: Callable[[], None]) -> None:
        try:
            write()
        except (StorageError, OSError):
            return  # the status is a courtesy: a full disk must not end the training for it
