"""The selected moment of a run's timeline, and what its models wrote. It knows nothing of Textual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from rich.style import StyleType

from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.data import Series
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.timeline import Moment
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.words import duration

BIG_STEP = 5  # moments
TRAIN_MEAN_OF = 20  # steps: one batch's loss jumps about
MOST_TEXTS = 500
SMOOTHING = 0.9
# Long enough to judge; with a seed, because texts are comparable only with the same random numbers.
SAMPLING = SamplingSettings(max_new_tokens=400, seed=1)


class MomentRequest(NamedTuple):
    """A text to show: which moment continues which prompt, and how."""

    step: int
    prompt: str
    sampling: SamplingSettings


class TimeMachine:
    """Moments, the selected one, and the texts written so far."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.at = 0
        self.prompt = ""
        self.sampling = SAMPLING
        self._texts: dict[MomentRequest, str] = {}

    @property
    def step(self) -> int | None:
        """The selected step; None if the run has no moments."""
        return self.moments[self.at].step if self.moments else None

    @property
    def request(self) -> MomentRequest | None:
        return None if self.step is None else MomentRequest(self.step, self.prompt, self.sampling)

    def update_moments(self, moments: Sequence[Moment]) -> bool:
        """Take the moments there are by now; return whether another one is selected.

        If the newest one is selected, or none, the selection moves with the run; else it stays.
        """
        before = self.step
        at_end = self.at_end
        if [moment.step for moment in moments] < [moment.step for moment in self.moments[: len(moments)]]:
            self._texts.clear()  # the run was started again
        self.moments = list(moments)
        if at_end or before is None:
            self.at = max(0, len(moments) - 1)
        else:
            self.select_step(before)
        return self.step != before

    def move(self, by: int) -> bool:
        """Move by that many moments; return whether that is another one."""
        return self._go(self.at + by)

    def select_step(self, step: float) -> bool:
        """Select the moment nearest to `step`; return whether that is another one."""
        if not self.moments:
            return False
        return self._go(min(range(len(self.moments)), key=lambda at: abs(self.moments[at].step - step)))

    @property
    def requests(self) -> list[MomentRequest]:
        """The texts of all moments for this prompt and these settings."""
        return [MomentRequest(moment.step, self.prompt, self.sampling) for moment in self.moments]

    @property
    def at_end(self) -> bool:
        """Whether the last moment is selected, or there is none."""
        return self.at >= len(self.moments) - 1

    def written(self, request: MomentRequest | None = None) -> str | None:
        """Return the text for a request, if none is given for the selected moment's; None if it was not written."""
        request = request or self.request
        return self._texts.get(request) if request else None

    def cache_text(self, request: MomentRequest, text: str) -> None:
        self._texts[request] = text
        while len(self._texts) > MOST_TEXTS:
            del self._texts[next(iter(self._texts))]

    def _go(self, at: int) -> bool:
        before, self.at = self.at, min(max(at, 0), max(0, len(self.moments) - 1))
        return self.at != before


def chart_at(history: RunHistory, step: int | None, styles: Mapping[str, StyleType]) -> LossChart:
    """Return the losses of a run with the cursor at `step`, in the styles for "train", "validation" and "cursor"."""
    series = [
        Series("train", *history.losses, styles["train"]),
        Series("validation", *history.validation_losses, styles["validation"], "points"),
    ]
    return LossChart(
        series=series if len(history.losses[0]) else [],
        log_x=True,
        smoothing=SMOOTHING,
        y_label="loss, nats per character",
        x_label="step, logarithmic",
        cursor=step,
        cursor_style=styles["cursor"],
    )


def state_at(history: RunHistory, step: int) -> str:
    """Return the state of a run at `step` in one line: the last measured losses, and the time spent."""
    parts = []
    steps, losses = history.validation_losses
    known = int(np.searchsorted(steps, step, "right"))
    if known:
        at = int(steps[known - 1])
        about = "≈" if history.tokens_read(known - 1) else ""
        parts.append(f"validation {about}{losses[known - 1]:.3f}" + ("" if at == step else f" at {at:,}"))
    train = _train_loss_at(history, step)
    if train is not None:
        parts.append(f"train {train:.3f}")
    if step:
        parts.append(f"after {duration(history.elapsed_until(step))}")
    return " · ".join(parts) or "before the first step"


def loss_at(history: RunHistory, step: int) -> float | None:
    """Return the validation loss after `step` steps, or the training loss if it was not evaluated there."""
    steps, losses = history.validation_losses
    known = int(np.searchsorted(steps, step))
    if known < len(steps) and steps[known] == step:
        return float(losses[known])
    return _train_loss_at(history, step)


def _train_loss_at(history: RunHistory, step: int) -> float | None:
    steps, losses = history.losses
    known = int(np.searchsorted(steps, step, "right"))
    return float(losses[max(0, known - TRAIN_MEAN_OF) : known].mean()) if known else None


def slider(machine: TimeMachine, width: int) -> str:
    """Return the moments as marks in a line, with the selected one."""
    count = len(machine.moments)
    if not count:
        return ""
    room = max(1, min(width, 2 * count - 1))
    marks = ["─"] * room
    place = 0 if count == 1 else round(machine.at * (room - 1) / (count - 1))
    for at in range(count):
        marks[0 if count == 1 else round(at * (room - 1) / (count - 1))] = "┴"
    marks[place] = "◆"
    return "".join(marks)
