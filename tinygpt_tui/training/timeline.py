"""Writes a training's snapshots at the steps where they are due, for its time machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tinygpt_tui.checkpoints.snapshot import Stamp, write_snapshot
from tinygpt_tui.events.training import Evaluation, Planned, TrainingEvent
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.runs.timeline import affordable, keep_to, list_moments, path_of, planned
from tinygpt_tui.settings.model_config import HEAD
from tinygpt_tui.training.loop import Training

HALF = 2  # bytes of a parameter
MEGABYTE = 1_000_000
OTHER_PLAN = 0.2  # a timed run whose plan changes by more than this share spaces its snapshots again


class Timeline:
    """The snapshots of a training; call `after` after each event of the loop."""

    def __init__(self, run: RunFolder, training: Training) -> None:
        """Removes snapshots of later steps than that of `training`. Raises StorageError."""
        self._run, self._training = run, training
        self._measured: Evaluation | None = None
        self._due: list[int] = []
        self._step, self._written = 0, -1
        self._count = self._planned_for = 0
        if training.step:
            earlier = (event for event in read_journal(run.events) if isinstance(event, Evaluation))
            self._measured = next((event for event in reversed(list(earlier)) if event.step <= training.step), None)
        self._begin()

    def after(self, event: TrainingEvent) -> Callable[[], None] | None:
        """Return what writes the snapshot that is due, if one is; it raises StorageError, and may be called again."""
        training = self._training
        if isinstance(event, Evaluation):
            self._measured = event
        # The training's own step, not the event's: if events come late, the weights are of the training's step.
        step = training.step
        if step < self._step:  # it was rolled back
            self._begin()
        self._step = step
        due = bool(self._due) and step >= self._due[0]
        if isinstance(event, Planned) and abs(event.steps / self._planned_for - 1) > OTHER_PLAN:
            self._plan(step)
        # Evaluated after it was written: the stamp gets the newer loss. Or the run ends here, whatever was planned.
        ends = training.stopped or bool(training.evaluations.ends_early) or step >= training.settings.steps
        again = isinstance(event, Evaluation) and (step == self._written or (ends and self._count > 0))
        if not due and not again:
            return None
        self._due = [later for later in self._due if later > step]
        self._written = step
        return partial(self._write, step)

    def _begin(self) -> None:
        training = self._training
        size = HALF * sum(parameter.numel() for parameter in training.model.parameters())
        self._count = affordable(training.settings.timeline_mb * MEGABYTE, size)
        self._step, self._written = training.step, -1
        keep_to(self._run, self._step, self._count)
        there = list_moments(self._run)
        self._plan(there[-1].step if there else -1)

    def _plan(self, last: int) -> None:
        """Plan the snapshots after the `last` one, for the number of steps that the run has now."""
        self._planned_for = self._training.settings.steps
        self._due = [step for step in planned(self._planned_for, self._count) if step > last]

    def _write(self, step: int) -> None:
        write_now(self._run, path_of(self._run, step), self._training, step, self._measured)


def write_now(run: RunFolder, path: Path, training: Training, step: int, measured: Evaluation | None) -> None:
    """Write the weights after `step` steps as a snapshot; `measured` is the last evaluation by then.

    Raises StorageError.
    """
    if measured is None:
        stamp = Stamp(step)
    else:
        stamp = Stamp(step, measured.validation_loss / training.corpus.characters_per_token, measured.step)
    state = training.model.state_dict()
    tensors = {name: tensor.detach().float().cpu().numpy() for name, tensor in state.items()}
    if training.settings.architecture.tied_head:
        del tensors[HEAD]  # the same tensor as the embedding: stored once
    write_snapshot(path, tensors, stamp, within=run.folder)
