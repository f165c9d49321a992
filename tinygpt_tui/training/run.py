"""A training that leaves everything on the disk: lock, journal, status, best weights, and the state to resume from."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import filelock
import torch

from tinygpt_tui.checkpoints.calibrated import write_calibration
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.errors import RunError, TinyGPTError, storage_error
from tinygpt_tui.events.training import Calibrated, Note, Progress, RunEnded, RunStarted, TrainingEvent
from tinygpt_tui.files import remove, remove_parts, take_lock
from tinygpt_tui.planning.shortage import is_shortage, shortage
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.early_end import STOPPED_EARLY, end_of, record_early_end
from tinygpt_tui.runs.folder import RunFolder, RunSettings, steps_of
from tinygpt_tui.training.calibrating import calibrating
from tinygpt_tui.training.distributed import ALONE, ProcessGroup
from tinygpt_tui.training.health import HealthCheck
from tinygpt_tui.training.live_weights import LiveWeights
from tinygpt_tui.training.loop import DivergedError, Training
from tinygpt_tui.training.old_text import judging_old_text
from tinygpt_tui.training.prepare import Prepared, StoppedEarly, preparing
from tinygpt_tui.training.recorder import Recorder
from tinygpt_tui.training.timeline import Timeline

Reason = Literal["finished", "stopped", "failed"]


def run_training(
    model: Path,
    *,
    settings: RunSettings | None = None,
    corpus: Corpus | None = None,
    keep_earlier_commands: bool = False,
    group: ProcessGroup = ALONE,
) -> Iterator[TrainingEvent]:
    """Train what `MODEL/run/settings.json` describes, from the start or from where it was left.

    Other `settings` replace those once everything is read and built. If that fails, a run that had ended stays as it
    was: its journal has a note. `corpus` is its text, if that was read already.

    Every event is in the journal before it is yielded, except a pause because nothing can be written, and that failure.
    The last event is RunEnded; an unexpected exception is raised after it was written down. A run that is already being
    trained raises RunError, a folder that cannot be written StorageError, both before the first event. Commands sent
    before the start are dropped, unless the caller has dropped them itself (`keep_earlier_commands`). The other
    processes of the `group` do what this one, the leader, sends.
    """
    folder = RunFolder(model)
    try:
        folder.folder.mkdir(exist_ok=True)
        lock = take_lock(folder.lock)
    except filelock.Timeout:
        raise RunError(f"{model.name} is already being trained", "`tinygpt-tui runs` shows its progress") from None
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
    """A run from its start, or its resumption, to its end: the loop's events, each recorded before it is passed on."""

    def __init__(
        self, folder: RunFolder, group: ProcessGroup, settings: RunSettings | None = None, corpus: Corpus | None = None
    ) -> None:
        self._folder, self._group = folder, group
        self._settings, self._corpus = settings, corpus
        self._control = Control(folder.control)
        self._before = end_of(folder)
        self._recorder = Recorder(folder, self._control)
        self._training: Training | None = None

    def events(self) -> Iterator[TrainingEvent]:
        """Prepare, train and record; the last event is RunEnded."""
        reason: Reason = "failed"
        message = hint = ""
        cause: Literal["", "diverged"] = ""
        recorder = self._recorder
        try:
            saved = self._folder.read_settings()
            settings, corpus = self._settings or saved, self._corpus
            self._corpus = None  # the training has it
            self._announce(saved)
            steps_before = preparing(self._folder, settings, self._control, self._group, corpus)
            ready = yield from recorder.logged(steps_before)
            self._training = training = ready.training
            yield from self._train(ready, settings)
            message = training.evaluations.ends_early
            reason = "stopped" if training.stopped and not training.complete and not message else "finished"
        except StoppedEarly:
            self._control.consume("stop")
            reason, message = "stopped", STOPPED_EARLY
        except TinyGPTError as error:
            message, hint = error.message, error.hint
            cause = "diverged" if isinstance(error, DivergedError) else ""
        except (KeyboardInterrupt, GeneratorExit):
            reason, message, hint = "stopped", "interrupted", "it resumes from the state that was last saved"
            raise
        except Exception as error:
            if self._training is None or not is_shortage(error):
                message = f"unexpected: {type(error).__name__}: {error}"
                hint = f"the details are in {self._folder.log}" if recorder.write_traceback() else ""
                raise
            traceback.clear_frames(error.__traceback__)  # they hold what did not fit
            message, hint = shortage(self._training.settings, self._training.device)
        finally:
            recorder.attempt(lambda: remove(self._folder.live_weights))
            ended = self._ended(reason, message, hint, cause)
            if self._training is None:
                record_early_end(self._folder, recorder.journal, ended, self._before)
            else:
                recorder.attempt(lambda: recorder.journal.append([ended]))
                recorder.attempt(lambda: recorder.report(reason, message))
            recorder.journal.close()
        yield ended

    def _train(self, ready: Prepared, settings: RunSettings) -> Iterator[TrainingEvent]:
        training, recorder = ready.training, self._recorder
        recorder.begin(training)
        yield from recorder.log(_started(training))
        for text in ready.notes:
            yield from recorder.log(Note(training.step, text))
        if ready.save_at_once:
            yield from recorder.save_resume()
        timeline, live_weights = Timeline(self._folder, training), LiveWeights(self._folder, training)
        recorder.attempt(live_weights.remove)  # an earlier trainer was killed
        health = HealthCheck(settings.training, training.corpus.train, training.corpus.validation)
        recorder.report("running")
        for event in training.events():
            yield from recorder.log(event)
            if isinstance(event, Progress):  # in the middle of something: there is no state to save
                recorder.report_progress(event)
                continue
            yield from recorder.save(event, settings.corpus.name)
            for write in (timeline.after(event), live_weights.after(event)):
                if write is not None:
                    yield from recorder.write(write)
            if not training.commands.is_late:
                for finding in health.after(event, training.model):
                    yield from recorder.log(finding)
            recorder.report_progress(event)
        if training.evaluations.last < 0:  # not even the untrained model was measured, or saved
            raise StoppedEarly
        yield from recorder.save_resume()
        yield from self._calibrate(ready)
        try:
            yield from recorder.logged(judging_old_text(self._folder.model, settings, training))
        except TinyGPTError as error:
            yield from recorder.log(Note(training.step, f"the old text was not judged: {error}", "warning"))

    def _calibrate(self, ready: Prepared) -> Iterator[TrainingEvent]:
        training, recorder, model = ready.training, self._recorder, self._folder.model
        try:
            found = yield from recorder.logged(calibrating(model, training, ready.aside))
        except (TinyGPTError, MemoryError, RuntimeError) as error:
            if not isinstance(error, TinyGPTError) and not is_shortage(error):
                raise
            # The run itself is complete, and its weights are saved.
            command = own_command("calibrate", model.name)
            yield from recorder.log(Note(training.step, f"not calibrated: {error}; later: {command}", "warning"))
            return
        if found is not None:
            calibration, loss = found
            yield from recorder.write(lambda: write_calibration(model, calibration, loss))
            yield from recorder.log(Calibrated(training.step, calibration.logit_scale, calibration.tokens, loss))

    def _announce(self, settings: RunSettings) -> None:
        """Report that the run starts, or continues from where it was left."""
        earlier = None
        with contextlib.suppress(TinyGPTError):
            earlier = self._folder.read_status()
            self._recorder.step = earlier.step
        self._recorder.steps = steps_of(settings, earlier)
        self._recorder.report("starting")

    def _ended(self, reason: Reason, message: str, hint: str, cause: Literal["", "diverged"]) -> RunEnded:
        training = self._training
        evaluations = training.evaluations if training else None
        measured = evaluations is not None and evaluations.best_loss < float("inf")
        return RunEnded(
            time=time.time(),
            step=self._recorder.current_step,
            reason=reason,
            best_step=evaluations.best_step if evaluations else 0,
            best_loss=evaluations.best_loss if evaluations and measured else None,
            best_tokens=evaluations.best_tokens if evaluations else 0,
            elapsed_s=training.elapsed_s if training else 0.0,
            message=message,
            hint=hint,
            cause=cause,
        )


def _started(training: Training) -> RunStarted:
    return RunStarted(
        time=time.time(),
        step=training.step,
        steps=training.settings.steps,
        parameters=training.model.count_parameters(),
        train_tokens=len(training.corpus.train),
        validation_tokens=len(training.corpus.validation),
        validation_characters=training.corpus.validation_characters,
        device=str(training.device),
        threads=torch.get_num_threads(),
    )
