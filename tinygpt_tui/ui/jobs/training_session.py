"""One run as the screen follows it: its journal and its trainer. It knows nothing of Textual."""

from __future__ import annotations

import enum
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from tinygpt_tui.checkpoints.card import WEIGHTS
from tinygpt_tui.doctor.examination import Examination, examination_of, read_one_batch
from tinygpt_tui.doctor.rounds import findings_of, worst_first
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.training import Finding, RunStarted, TrainingEvent
from tinygpt_tui.reading import open_file
from tinygpt_tui.runs.aspects import Comparison
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.extending import extended
from tinygpt_tui.runs.folder import LIVE, RunFolder, RunSettings, RunStatus
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.manage import is_own
from tinygpt_tui.runs.texts import is_here
from tinygpt_tui.workers.examiner import start_examiner
from tinygpt_tui.workers.trainer import RunWatch, start_trainer

LOG_END = 65_536  # bytes of a trainer's log that are read
EXAMINED_LOOK_S = 1.0  # how often to look whether the text has been measured
ONE_BATCH = "one-batch"
NOT_TRIED = Finding(0, ONE_BATCH, "hint", "one-batch overfit test not run yet", action="try-one-batch")
TRYING = Finding(0, ONE_BATCH, "hint", "testing whether a fresh model can overfit one batch…")


class Phase(enum.Enum):
    """What a run is doing, in the words of the screen."""

    READING = "reading its journal…"
    STARTING = "starting the trainer…"
    TRAINING = "training"
    PAUSING = "pausing after this step…"
    PAUSED = "paused"
    STOPPING = "stopping: one last evaluation…"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    DIED = "the trainer died"

    @property
    def live(self) -> bool:
        return self in (Phase.STARTING, Phase.TRAINING, Phase.PAUSING, Phase.PAUSED, Phase.STOPPING)


class RunUpdate(NamedTuple):
    """What one read of the run folder found; the first has the whole `history`, later ones new `events`."""

    settings: RunSettings
    events: list[TrainingEvent]
    history: RunHistory | None
    status: RunStatus | None
    died: bool
    launched_runs: bool
    pause_asked: bool
    stop_asked: bool
    has_weights: bool
    has_state: bool
    examination: Examination | None
    one_batch: Finding | None


class TrainingSession:
    """`read_update` reads the disk and may be called in a thread; `apply_update` belongs to the app's own thread."""

    def __init__(self, run: RunFolder, settings: RunSettings) -> None:
        self.run, self.settings = run, settings
        self.history = _empty_history(settings)
        self.phase = Phase.READING
        self.status_message = ""
        self.has_weights = False
        self.has_state = False
        self.was_read = False
        self.watch = RunWatch(run)
        self._reading = threading.Lock()
        self._unapplied: list[TrainingEvent] = []  # read, and not yet applied
        self._control = Control(run.control)
        self.examination: Examination | None = None
        self._examined_at = -EXAMINED_LOOK_S
        self._examining = self._trying = self._text_here = False
        self._one_batch: Finding | None = None
        self._launched: int | None = None
        self._stop_asked = False

    @classmethod
    def open(cls, path: Path) -> TrainingSession:
        """Open the run of the model folder `path`. Raises NotFoundError, RunError."""
        run = RunFolder(path)
        return cls(run, run.read_settings())

    @property
    def name(self) -> str:
        return self.run.model.name

    @property
    def vocab_size(self) -> int:
        """How many different tokens the run's text has."""
        return self.settings.training.architecture.vocab_size

    @property
    def beside(self) -> Comparison:
        """What the losses can be compared with."""
        floors = self.examination.floors if self.examination else []
        return Comparison(floors, self.settings.corpus.entropy, self.vocab_size)

    @property
    def findings(self) -> list[Finding]:
        """The doctor's findings about the run, the worst first."""
        start = self.settings.start.name if self.settings.start else ""
        found = findings_of(self.history, self.settings.training, self.examination, start)
        if self._one_batch is not None:
            return worst_first([self._one_batch, *found])
        if self.own and found and self._text_here:
            found.append(TRYING if self._trying else NOT_TRIED)
        return found

    def try_one_batch(self) -> None:
        """Test whether a fresh model of the run's settings can overfit one batch; the run is left alone."""
        if not self._trying:
            self._trying = True
            start_examiner(self.run, one_batch=True)

    @property
    def own(self) -> bool:
        """Whether the run is the user's, so that it can be resumed."""
        return is_own(self.run.model)

    @property
    def can_resume(self) -> bool:
        """Whether a trainer can continue where the last one ended."""
        return self.own and self.phase in (Phase.STOPPED, Phase.FAILED, Phase.DIED)

    @property
    def can_be_extended(self) -> bool:
        """Whether the run can be given more steps: it has a saved state and no trainer."""
        return self.own and self.has_state and not self.phase.live

    @property
    def never_started(self) -> bool:
        """Whether the trainer that was started here last is gone and reported nothing."""
        return self.phase is Phase.DIED and (self._launched is not None or self.history.started is None)

    def launch(self) -> None:
        """Start a trainer, for the first time or again. Raises RunError, CorpusError, StorageError."""
        self._start(None)

    def _start(self, settings: RunSettings | None) -> None:
        self._launched = start_trainer(self.run, settings)
        self._stop_asked = False
        self.phase = Phase.STARTING

    def extend(self, steps: str) -> None:
        """Give the run more steps (`+2000`, or `5000` in all) and continue.

        Raises UsageError, RunError, CorpusError, StorageError.
        """
        self._start(extended(self.run, steps))

    def read_update(self) -> RunUpdate:
        """Read what is new on the disk."""
        with self._reading:
            return self._read_update()

    def _read_update(self) -> RunUpdate:
        # The journal comes last: a run that ends in between has its last event there, and did not die.
        status, died = self.watch.status(), self.watch.died()
        runs = self._launched is not None and _runs(self._launched)
        pause, stop = self._control.pending("pause"), self._control.pending("stop")
        weights, state = (self.run.model / WEIGHTS).is_file(), self.run.resume.is_file()
        # The screen may be gone when this returns: what was read stays here until it is applied.
        self._unapplied += self.watch.poll()
        events = list(self._unapplied)
        settings = self._settings_after(events)
        history = None
        if not self.was_read:
            # A journal can have a hundred thousand lines: they are added in this thread, not in the app's.
            history = _empty_history(settings)
            history.add(events)
        examination = self._examine(settings, history or self.history)
        one_batch = self._one_batch or read_one_batch(self.run)
        return RunUpdate(
            settings, events, history, status, died, runs, pause, stop, weights, state, examination, one_batch
        )

    def apply_update(self, update: RunUpdate) -> bool:
        """Apply `update`; return whether anything is different now."""
        before = self.phase, self.status_message, self.has_weights, self.was_read, self.examination, self._one_batch
        self.was_read = True
        del self._unapplied[: len(update.events)]
        self.settings = update.settings
        if update.history is not None:
            self.history = update.history
        else:
            self.history.add(update.events)
        if update.events and self._launched is not None:
            self._launched = None
        self.has_weights, self.has_state = update.has_weights, update.has_state
        self.examination, self._one_batch = update.examination, update.one_batch
        self._stop_asked = self._stop_asked or update.stop_asked
        self.phase = self._phase(update)
        self.status_message = update.status.message if update.status else ""
        if not self.phase.live:
            self._stop_asked = False
        after = self.phase, self.status_message, self.has_weights, self.was_read, self.examination, self._one_batch
        return bool(update.events) or before != after

    def stop(self) -> None:
        """Ask the trainer to keep the best weights and end; asked twice, it leaves out the last evaluation."""
        self.watch.stop()
        self._stop_asked = True
        self.phase = Phase.STOPPING

    def log_tail(self) -> str:
        try:
            with open_file(self.run.log) as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_END))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-3:])

    def _settings_after(self, events: list[TrainingEvent]) -> RunSettings:
        """The settings, read again after a trainer has started: it fills in the size of the vocabulary."""
        if not any(isinstance(event, RunStarted) for event in events):
            return self.settings
        try:
            return self.run.read_settings()
        except TinyGPTError:
            return self.settings

    def _examine(self, settings: RunSettings, history: RunHistory) -> Examination | None:
        """What is known of the run's text; if it was not measured yet, an examiner is started."""
        now = time.monotonic()
        if self.examination is not None or history.started is None or now - self._examined_at < EXAMINED_LOOK_S:
            return self.examination
        self._examined_at = now
        self._text_here = self._text_here or is_here(settings.corpus)
        found = examination_of(self.run, settings)
        if found is None and not self._examining:
            self._examining = True
            if self._text_here:
                start_examiner(self.run)
        return found

    def _phase(self, update: RunUpdate) -> Phase:
        ended, status = self.history.ended, update.status
        if self._launched is not None:
            return Phase.STARTING if update.launched_runs else Phase.DIED
        if status is not None and status.state == "starting" and not update.died:
            return Phase.STARTING
        if ended is not None:
            return {"finished": Phase.FINISHED, "stopped": Phase.STOPPED}.get(ended.reason, Phase.FAILED)
        if update.died or status is None or status.state not in LIVE:
            return Phase.DIED
        if self._stop_asked:
            return Phase.STOPPING
        if self.history.paused or (status.state == "paused" and status.message):
            return Phase.PAUSED
        return Phase.PAUSING if update.pause_asked else Phase.TRAINING


def _empty_history(settings: RunSettings) -> RunHistory:
    return RunHistory(settings.training.steps, settings.training.evaluate_every)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
