"""When a run is evaluated and on what, which weights are the best so far, and when patience runs out.

An interim evaluation reads a part of the validation split, always the same one; a final one reads all of it, or as much
as `judged_tokens` allows. The best weights by an interim loss are kept in memory until they were measured on all that a
final evaluation reads: a part of the split can be wrong about which weights are better.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.corpora.replies import Replies
from tinygpt_tui.corpora.rows import IGNORED, rows_of
from tinygpt_tui.events.training import Evaluation, Progress, TrainingEvent
from tinygpt_tui.planning.evaluation_plan import evaluation_spacing, evaluation_tokens, judged_tokens
from tinygpt_tui.planning.time_budget import TimeBudget
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.ids import Ids
from tinygpt_tui.training.commands import Commands
from tinygpt_tui.training.evaluate import Answers, summed_losses
from tinygpt_tui.training.state import copied
from tinygpt_tui.training.stopwatch import Stopwatch
from tinygpt_tui.words import part_words

PROGRESS_S = 1.0


class NotANumber(Exception):
    """A loss or a gradient is not a number, found before it reached the weights; the message names it."""


class _CutShort(Exception):
    """A measurement took too long after a stop, or a second stop came: half a measurement is worth nothing."""


class Evaluations:
    """The evaluations of one run: `evaluate` makes one; everything else follows from those made so far."""

    def __init__(
        self,
        settings: TrainingSettings,
        validation: Ids,
        commands: Commands,
        time_budget: TimeBudget,
        replies: Replies | None = None,
        separator: int | None = None,
    ) -> None:
        """`validation` (M,) is the whole validation split; of conversations `replies` alone are judged.

        Pairs have a `separator` in them.
        """
        self.best_step, self.best_loss = 0, math.inf
        self.best_tokens = 0  # of the validation split that gave it; 0: all
        self.calibrated_on = 0  # tokens that a calibration reads after the end; 0: there will be none
        self.last = self.last_whole = -1  # the steps of the last evaluation, and of the last that read everything
        self._patience, self._target = settings.patience, settings.stop_at_loss
        self._commands, self._time_budget = commands, time_budget
        self._rows = rows_of(validation, settings, settings.architecture.block_size, replies, separator)
        self._size = self._rows.tokens if settings.windows == "pairs" else len(validation)
        self._has_answers = settings.windows == "pairs"
        self._answers = Answers()
        self._timed = time_budget.timed and not settings.evaluate_every  # the clock spaces the evaluations
        self._best_part = math.inf  # the best weights' loss on what every evaluation reads
        self._best_weights: dict[str, Tensor] | None = None  # until they were measured on the whole split
        self._without_better = 0  # regular evaluations since the best
        self._recent: list[float] = []  # training losses since the last evaluation
        self._train_loss: float | None = None  # their mean at the last evaluation
        self.read_part(settings, evaluation_tokens(settings, self._size))

    def read_part(self, settings: TrainingSettings, tokens: int) -> None:
        """Let interim evaluations read about `tokens` of the validation split; 0: as many as the final one."""
        rows, judged = self._rows, judged_tokens(settings, self._size)
        self._first = rows.spread(tokens)
        if len(self._first) and (rows.batch(self._first)[1] == IGNORED).all():  # conversations without a reply
            self._first = self._first[:0]
        self._others = None if judged >= self._size else np.setdiff1d(rows.spread(judged), self._first)
        self.part_tokens = rows.tokens_in(self._first)
        # What a final evaluation reads; 0: all of the split.
        self._judged = 0 if self._others is None else self.part_tokens + rows.tokens_in(self._others)
        self._spacing = evaluation_spacing(settings, self._size, self.part_tokens)

    @property
    def reads(self) -> str:
        """How much of the validation split evaluations read, in words; empty if each reads all of it."""
        split = self._size
        last = part_words(self._judged, split) if self._judged else "all"
        if self.part_tokens:
            part = part_words(self.part_tokens, split)
            return f"interim evaluations read {part}, always the same ones; the final one reads {last}"
        return f"evaluations read {last}, always the same ones" if self._judged else ""

    @property
    def ends_early(self) -> str:
        """Why the run is over before its last step, in words; empty if it is not."""
        if self._target and self.best_loss <= self._target and not self.best_on_part:
            return f"the validation loss {self.best_loss:.4f} has reached the {self._target:g} that was asked for"
        if self._is_patience_used_up:
            return f"no better validation loss in {self._patience} evaluations; the best was {self.best_loss:.4f}"
        return ""

    @property
    def best_on_part(self) -> bool:
        """Whether the best loss comes from an interim evaluation, which reads less than a final one."""
        return self.best_tokens not in (0, self._judged)

    def is_due(self, step: int, steps: int) -> bool:
        """Whether an evaluation comes after `step` of `steps` steps."""
        if step and self._timed:
            return self._time_budget.evaluation_due(step)
        return step % self._spacing == 0 or step >= steps

    def may_end_at(self, step: int) -> bool:
        """Whether the run ends at `step` if the whole split confirms what a part of it says."""
        reached = self._target and self.best_loss <= self._target and self.best_step == step
        return bool(reached) or self._is_patience_used_up

    def evaluate(
        self, model: LanguageModel, step: int, watch: Stopwatch, *, regular: bool = False, whole: bool = True
    ) -> Iterator[TrainingEvent]:
        """Measure the loss over what a final evaluation reads (`whole`), or over the part that interim ones read.

        A stop lets it end with that part. If that takes too long, or at a second stop, it is cut short: then no
        Evaluation is yielded, and it is still due. Only `regular` evaluations count against the patience: a run that
        was stopped and resumed must end where it would have ended. Raises NotANumber if the loss is not a number.
        """
        try:
            value, part, whole = yield from self._measure(model, step, whole)
            right = self._answers.share if self._has_answers else None
            if not math.isfinite(value):
                raise NotANumber("the validation loss")
            better = yield from self._is_better(model, step, value, part, whole)
        except _CutShort:
            return
        tokens = self._judged if whole else self.part_tokens
        if better:
            self.best_step, self.best_loss, self.best_tokens, self._best_part = step, value, tokens, part
            self._without_better = 0
        elif regular:
            self._without_better += 1
        self.last = step
        seconds = watch.seconds()
        if whole:
            self.last_whole = step
        self._time_budget.end_takes_longer(seconds * self._more_at_the_end(whole))
        recent, self._recent = self._recent, []
        if recent:
            self._train_loss = sum(recent) / len(recent)
        yield Evaluation(
            step=step,
            validation_loss=value,
            train_loss=value if self._train_loss is None else self._train_loss,
            best_step=self.best_step,
            best_loss=self.best_loss,
            seconds=seconds,
            tokens=tokens,
            part_loss=part if whole and self.part_tokens else None,
            best_tokens=self.best_tokens,
            right=right,
        )

    def _more_at_the_end(self, whole: bool) -> float:
        """How much more is read at the end than by an evaluation now, as a multiple of that."""
        final = self._judged or self._size
        calibration = (
            self.calibrated_on + final if self.calibrated_on else 0
        )  # the calibrated weights are measured, too
        return (final + calibration) / (final if whole else self.part_tokens) - 1

    def measure_again(self, model: LanguageModel, step: int) -> Generator[TrainingEvent, None, float | None]:
        """Return the loss of `model` over what gave the best loss; None if a stop cut it short."""
        try:
            loss, _, complete = yield from self._measure(model, step, not self.best_on_part)
        except _CutShort:
            return None
        return loss if complete or self.best_on_part else None

    def add_loss(self, loss: float) -> None:
        """Count a step's training loss, for the mean until the next evaluation."""
        self._recent.append(loss)

    def remember_best(self, step: int, weights: dict[str, Tensor]) -> None:
        """Keep `weights`, those of `step`, if they are the best and still to be measured on the whole split."""
        if not self.best_on_part:
            self._best_weights = None
        elif self.best_step == step:
            self._best_weights = weights

    def best_weights(self, good: dict[str, Any] | None) -> dict[str, Tensor] | None:
        """Return the best weights for a saved state; None if they are those of its `good` state, too."""
        return None if good is None or self._best_weights is good["model"] else self._best_weights

    def load_best_weights(self, weights: dict[str, Tensor] | None, good: dict[str, Any]) -> None:
        """Undo `best_weights`."""
        self._best_weights = weights
        if weights is None and self.best_on_part and self.best_step == good["step"]:
            self._best_weights = good["model"]

    def reset_patience(self) -> None:
        """Start counting again: a run that was extended gets all its patience back."""
        self._without_better = 0

    def state(self) -> dict[str, Any]:
        """Return everything that the next evaluations depend on, except weights; plain data only."""
        return {
            "best_step": self.best_step,
            "best_loss": self.best_loss,
            "best_tokens": self.best_tokens,
            "best_part": self._best_part,
            "recent": list(self._recent),
            "train_loss": self._train_loss,
            "evaluated": self.last,
            "whole": self.last_whole,
            "without_better": self._without_better,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Return to where `state` was taken; states of older versions lack some entries."""
        self.best_step, self.best_loss = state["best_step"], state["best_loss"]
        self.best_tokens, self._best_part = state.get("best_tokens", 0), state.get("best_part", self.best_loss)
        self._recent, self._train_loss = list(state["recent"]), state.get("train_loss")
        self.last = state.get("evaluated", state["step"])
        self.last_whole = state.get("whole", self.last)
        self._without_better = state.get("without_better", 0)

    @property
    def _is_patience_used_up(self) -> bool:
        return bool(self._patience and self._without_better >= self._patience)

    def _measure(
        self, model: LanguageModel, step: int, whole: bool = True
    ) -> Generator[TrainingEvent, None, tuple[float, float, bool]]:
        """Return the loss over what is read, over the interim part of it, and whether that is all a final one reads.

        Yields its progress if it takes long: the state must not be saved then. Raises _CutShort.
        """
        total, learned, count, part = 0.0, 0, 0, math.nan
        goal = (self._judged or self._rows.tokens) if whole else self.part_tokens
        reported_at = time.monotonic()
        self._answers = Answers()
        pieces = summed_losses(model, self._rows, self._first, self._others, self._answers)
        for piece in self._commands.until_late(pieces):
            if self._commands.consume("stop"):
                if self._commands.stopped:
                    raise _CutShort
                self._commands.stop()
            total, learned, count = total + piece.loss, learned + piece.learned, count + piece.tokens
            if count == self.part_tokens:
                part = total / learned
                if not whole:
                    return part, part, whole
            now = time.monotonic()
            if now - reported_at > PROGRESS_S:
                reported_at = now
                yield Progress(step, "evaluation", count / goal)
        if count < goal and self._commands.is_late:
            if math.isnan(part):
                raise _CutShort
            return part, part, False
        return total / learned, part if self.part_tokens else total / learned, whole

    def _is_better(
        self, model: LanguageModel, step: int, value: float, part: float, whole: bool
    ) -> Generator[TrainingEvent, None, bool]:
        """Return whether these are the best weights so far, by all that a final evaluation reads if that was read.

        Earlier weights that only a part of the split found better are then measured on all of it. Raises _CutShort.
        """
        if not whole:
            return part < self._best_part
        if self.best_step == step == self.last:
            return True  # the same weights as an interim evaluation has just read
        if self.best_on_part:
            if part < self._best_part:
                return True
            assert self._best_weights is not None
            newest = copied(model.state_dict())
            model.load_state_dict(self._best_weights)
            try:
                loss, _, complete = yield from self._measure(model, step)
                if not complete:
                    raise _CutShort
                self.best_loss, self.best_tokens = loss, self._judged
            finally:
                model.load_state_dict(newest)
        return value < self.best_loss
