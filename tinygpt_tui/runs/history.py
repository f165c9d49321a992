"""A run as it is shown: its events collected into curves, samples, a log and a few numbers; no torch.

All losses in it are nats per character, so that runs with different tokenizers can be compared with each other and with
the yardsticks; the events have them per token.

Points go into buffers that grow by doubling, so the cost of a journal is proportional to its lines, whether they come
at once or one by one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np

from tinygpt_tui.charts.smoothing import reach_of
from tinygpt_tui.events.training import (
    Calibrated,
    Evaluation,
    Finding,
    Note,
    OldText,
    Paused,
    Planned,
    Progress,
    Resumed,
    RolledBack,
    RunEnded,
    RunStarted,
    Sample,
    Saved,
    Step,
    TeacherMeasured,
    TrainingEvent,
)
from tinygpt_tui.runs.columns import Columns, Floats
from tinygpt_tui.words import loss_words, part_words, right_words, threads

RECENT_STEPS = 20
LOG_LINES = 1000
BEST = " ◆ best"
NEWS = 1.1  # a plan that differs by this factor from the last one logged is worth a line
LOSSES = ("loss", "validation_loss", "train_loss", "best_loss", "part_loss")  # in events, nats per token
WITH_LOSSES = Step | Evaluation | Calibrated | TeacherMeasured | RunEnded
MEASURED = Step.__struct_fields__  # the columns of `RunHistory.measured`, `step` first


@dataclass(frozen=True)
class SampleText:
    """What the model wrote at `step`, and the loss if it was measured there; `tokens` as in an Evaluation."""

    step: int
    text: str
    loss: float | None
    tokens: int = 0


class RunHistory:
    """Everything known of one run; `add` adds events."""

    def __init__(self, steps: int = 0, evaluate_every: int = 0) -> None:
        """`steps` and `evaluate_every` as in the run's settings, until events say more."""
        self.steps = steps
        self._evaluate_every = evaluate_every
        self._steps = Columns(len(MEASURED))
        # step, validation_loss, train_loss, validation over what all of them read, and the share of right answers
        self._evaluations = Columns(5)
        self._evaluated: list[Evaluation] = []
        self.samples: list[SampleText] = []
        self.findings: dict[str, Finding] = {}
        self.log: list[str] = []
        self.started: RunStarted | None = None
        self.ended: RunEnded | None = None
        self.paused: Paused | None = None
        self.calibrated: Calibrated | None = None
        self.teacher: TeacherMeasured | None = None
        self.old_text: OldText | None = None
        self.last_step: Step | None = None
        self.progress: Progress | None = None  # of what is done now, where it takes long
        self._from_step = 0
        self._recent_tokens_per_s: list[float] = []
        self._logged_steps = 0

    def add(self, events: Iterable[TrainingEvent]) -> None:
        """Add `events`, in their order."""
        for event in events:
            self.progress = event if isinstance(event, Progress) else None
            if self.characters_per_token != 1.0 and isinstance(event, WITH_LOSSES):
                event = _per_character(event, self.characters_per_token)
            match event:
                case Step():
                    self._add_step(event)
                case Evaluation():
                    self._add_evaluation(event)
                case Sample():
                    self._add_sample(event)
                case RunStarted():
                    self._add_start(event)
                case RunEnded():
                    self.ended, self.paused = event, None
                    self._log_line(event.step, _ending(event))
                case Planned():
                    self._add_plan(event)
                case Calibrated():
                    self.calibrated = event
                    self._log_line(event.step, f"calibrated: {self.calibration_words}")
                case TeacherMeasured():
                    self.teacher = event
                    self._log_line(event.step, f"the teacher has validation {self.loss_words(event.validation_loss)}")
                case OldText():
                    self.old_text = event
                    self._log_line(event.step, f"before and after: {self.old_text_words}")
                case Saved():
                    self._add_saved(event)
                case Paused():
                    self.paused = event
                    self._log_line(event.step, f"paused: {event.reason}" if event.reason else "paused")
                case Resumed():
                    self.paused = None
                    self._log_line(event.step, "resumed")
                case Finding():
                    self._add_finding(event)
                case RolledBack():
                    self._forget_after(event.step)
                    self._log_line(
                        event.reached,
                        f"{event.what} is not a number: back to step {event.step}, at {event.rate_scale:g} of the rate",
                    )
                case Note():
                    self._log_line(event.step, f"warning: {event.text}" if event.level == "warning" else event.text)

    @property
    def characters_per_token(self) -> float:
        """How many characters a token of the validation split writes; 1 where each is one, or before the run starts."""
        return self.started.characters_per_token if self.started else 1.0

    def loss_words(self, loss: float, tokens: int = 0) -> str:
        """Return a loss in words, measured on `tokens` as in events; where tokens are longer, per token, too."""
        return loss_words(loss, tokens, characters_per_token=self.characters_per_token)

    @property
    def calibration_words(self) -> str:
        """How the best weights were calibrated; empty if they are not."""
        if self.calibrated is None:
            return ""
        loss = self.loss_words(self.calibrated.validation_loss)
        return f"logits × {self.calibrated.logit_scale:.3f}, validation loss {loss}"

    @property
    def old_text_words(self) -> str:
        """The losses before and after a run from a model, on its old and its new text; empty if they are not known."""
        if self.old_text is None or self.best is None or not self._evaluated:
            return ""
        old, first = self.old_text, self._evaluated[0].validation_loss
        now = self.calibrated.validation_loss if self.calibrated else self.best[1]
        return f"{old.text} {old.before:.2f} → {old.after:.2f}, {old.new} {first:.2f} → {now:.2f}"

    @property
    def progress_words(self) -> str:
        """What is done now and its progress, if it takes long; else empty."""
        if self.progress is None:
            return ""
        match self.progress.what:
            case "measuring":
                return "measuring this machine…"
            case "reading":
                words = "reading the text"
            case "calibration":
                words = "calibration"
            case "saving":
                words = "saving the state"
            case "evaluation":
                words = "final evaluation" if self.step >= self.steps else "evaluation"
        return f"{words} {self.progress.share:.0%}"

    @property
    def step(self) -> int:
        return self.last_step.step if self.last_step else self._from_step

    @property
    def losses(self) -> tuple[Floats, Floats]:
        """Steps (N,) and the loss of each one's batch (N,)."""
        return self._steps.column(0), self._steps.column(1)

    def train_loss(self, smoothing: float) -> tuple[float, int] | None:
        """The end of the train curve as a chart with this `smoothing` draws it: the mean of how many steps."""
        mean_of = min(self._steps.count, reach_of(smoothing) + 1)
        return (float(self._steps.column(1)[-mean_of:].mean()), mean_of) if mean_of else None

    def elapsed_until(self, step: int) -> float:
        """The time spent training up to `step`, as far as known, without pauses."""
        known = int(np.searchsorted(self._steps.column(0), step, "right"))
        return float(self.measured("elapsed_s")[1][known - 1]) if known else 0.0

    @property
    def validation_losses(self) -> tuple[Floats, Floats]:
        """Steps (M,) and the validation loss at each (M,)."""
        return self._evaluations.column(0), self._evaluations.column(1)

    @property
    def right_answers(self) -> tuple[Floats, Floats]:
        """Steps (M,) and the share of right answers at each (M,), from 0 to 1; nan where the text is not of pairs."""
        return self._evaluations.column(0), self._evaluations.column(4)

    @property
    def has_answers(self) -> bool:
        """Whether the text is of pairs, questions and answers."""
        return self.last_evaluation is not None and self.last_evaluation.right is not None

    def tokens_read(self, index: int) -> int:
        """Return how many tokens evaluation number `index` has read, as in its event."""
        return self._evaluated[index].tokens

    @property
    def comparable_losses(self) -> tuple[Floats, Floats]:
        """Steps (M,) and the validation loss over the same tokens at each (M,): some may have read more than others."""
        return self._evaluations.column(0), self._evaluations.column(3)

    def read_words(self, tokens: int) -> str:
        """Return how much of the validation split gave a loss, `tokens` as in events; empty if it was all of it."""
        return part_words(tokens, self.started.validation_tokens if self.started else 0) if tokens else ""

    def measured(self, what: str) -> tuple[Floats, Floats]:
        """Steps (N,) and a field of each Step event (N,)."""
        return self._steps.column(0), self._steps.column(MEASURED.index(what))

    @property
    def gaps(self) -> tuple[Floats, Floats]:
        """Steps (M,) of evaluations and by how much validation was above training there (M,), nats per character."""
        trained = slice(int(np.searchsorted(self._evaluations.column(0), 1)), None)  # before it nothing is trained
        steps, validation, train = (self._evaluations.column(index)[trained] for index in (0, 3, 2))
        return steps, validation - train

    @property
    def last_evaluation(self) -> Evaluation | None:
        """The newest evaluation."""
        return self._evaluated[-1] if self._evaluated else None

    @property
    def best(self) -> tuple[int, float] | None:
        """The step with the lowest validation loss, and that loss."""
        return (self.last_evaluation.best_step, self.last_evaluation.best_loss) if self.last_evaluation else None

    @property
    def tokens_per_s(self) -> float | None:
        """The mean of the last steps, without evaluations."""
        recent = self._recent_tokens_per_s
        return sum(recent) / len(recent) if recent else None

    @property
    def elapsed_s(self) -> float:
        """The time spent training so far, without pauses."""
        if self.ended:
            return self.ended.elapsed_s
        return self.last_step.elapsed_s if self.last_step else 0.0

    @property
    def remaining_s(self) -> float | None:
        """An estimate of the time left, with evaluations and samples; None if nothing is known yet."""
        if self.ended or not self._steps.count or self.steps <= 0:
            return None
        if self.progress is not None and self.step >= self.steps:
            return None  # the final evaluation has its own progress
        left = self.steps - self.step
        every = self._evaluate_every or self._between_evaluations()
        steps, elapsed = self.measured("elapsed_s")
        # A whole number of intervals has a whole number of evaluations, so neither is counted too often.
        whole = min(4, (len(steps) - 1) // every) * every
        if whole:
            return float((elapsed[-1] - elapsed[-1 - whole]) / (steps[-1] - steps[-1 - whole])) * left
        if len(steps) < 2:
            return None
        overhead = self.last_evaluation.seconds if self.last_evaluation else 0.0
        return float((elapsed[-1] - elapsed[0]) / (steps[-1] - steps[0])) * left + overhead * (left // every)

    def _between_evaluations(self) -> int:
        """Steps from one evaluation to the next, as far as known; settings may leave it open."""
        steps = self._evaluations.column(0)[-2:]
        return max(1, int(steps[1] - steps[0])) if len(steps) == 2 else max(1, self.steps)

    def _add_start(self, event: RunStarted) -> None:
        # A run resumed after a kill repeats what came after its last save; those events are replaced.
        # A run that starts again repeats its very first evaluation, too.
        self._forget_after(event.step or -1)
        self._recent_tokens_per_s.clear()
        self._from_step = event.step
        again = self.started is not None
        self.started, self.ended, self.paused, self.steps = event, None, None, event.steps
        cores = f", {threads(event.threads)}" if event.device == "cpu" else ""
        self._log_line(event.step, f"{'resumed' if again else 'started'}: {event.device}{cores}")

    def _forget_after(self, step: int) -> None:
        """Remove what is known of later steps: they are made again."""
        self._steps.cut(step)
        self._evaluations.cut(step)
        _drop_from(self._evaluated, step + 1)
        _drop_from(self.samples, step + 1)
        self.findings = {check: finding for check, finding in self.findings.items() if finding.step <= step}
        if self.last_step and self.last_step.step > step:
            self.last_step = None
            self._from_step = max(step, 0)

    def _add_step(self, event: Step) -> None:
        self.last_step = event
        self._steps.append(*msgspec.structs.astuple(event))
        self._recent_tokens_per_s.append(event.tokens_per_s)
        del self._recent_tokens_per_s[:-RECENT_STEPS]

    def _add_plan(self, event: Planned) -> None:
        self.steps = event.steps
        if not max(event.step, self._logged_steps / NEWS) < event.steps < self._logged_steps * NEWS:
            self._logged_steps = event.steps
            self._log_line(event.step, f"about {event.steps:,} steps fit the time")

    def _add_evaluation(self, event: Evaluation) -> None:
        # An evaluation, or a sample, may come twice: its run was killed after it, and resumed from before it.
        self._evaluations.cut(event.step - 1)
        _drop_from(self._evaluated, event.step)
        self._evaluated.append(event)
        alike = event.validation_loss if event.part_loss is None else event.part_loss
        right = math.nan if event.right is None else event.right
        self._evaluations.append(event.step, event.validation_loss, event.train_loss, alike, right)
        read = f" on {event.tokens:,} tokens" if event.tokens else ""
        read += "" if event.right is None else f", {right_words(event.right)}"
        best = BEST if event.best_step == event.step else ""
        self._log_line(event.step, f"validation {self.loss_words(event.validation_loss)}{read}{best}")

    def _add_sample(self, event: Sample) -> None:
        evaluation = self.last_evaluation
        _drop_from(self.samples, event.step)
        if evaluation and evaluation.step == event.step:
            self.samples.append(SampleText(event.step, event.text, evaluation.validation_loss, evaluation.tokens))
        else:
            self.samples.append(SampleText(event.step, event.text, None))

    def _add_finding(self, event: Finding) -> None:
        before = self.findings.get(event.check)
        self.findings[event.check] = event
        if event.level != "fine" or (before is not None and before.level != "fine"):
            self._log_line(event.step, f"doctor: {event.text}")

    def _add_saved(self, event: Saved) -> None:
        if event.what == "resume":
            self._log_line(event.step, "state saved")
            return
        self.calibrated = None  # the weights are others now
        if self.log and self.log[-1].endswith(BEST):
            self.log[-1] += ", saved"
        else:
            self._log_line(event.step, "best weights saved")

    def _log_line(self, step: int, text: str) -> None:
        self.log.append(f"{step:>5}  {text}")
        if len(self.log) > LOG_LINES:
            del self.log[: LOG_LINES // 10]


def _per_character(event: TrainingEvent, characters_per_token: float) -> TrainingEvent:
    """Return `event` with its losses per character."""
    losses = {name: getattr(event, name, None) for name in LOSSES}
    changes = {name: loss / characters_per_token for name, loss in losses.items() if loss is not None}
    return msgspec.structs.replace(event, **changes)


def _drop_from(known: list[Evaluation] | list[SampleText], step: int) -> None:
    while known and known[-1].step >= step:
        known.pop()


def _ending(event: RunEnded) -> str:
    when = time.strftime("%H:%M:%S", time.localtime(event.time))
    return f"{event.reason} at {when}{': ' + event.message if event.message else ''}"
