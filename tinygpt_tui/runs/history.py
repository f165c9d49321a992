"""A run's curves and numbers, gathered from its events; no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Sample, Step, TrainingEvent

Floats = NDArray[np.float64]
RECENT = 50  # steps over which speed and time left are judged


class Curve:
    """Points that only grow in number; reading them costs nothing."""

    def __init__(self) -> None:
        self._points = np.empty((2, 1024))
        self._count = 0

    def add(self, x: float, y: float) -> None:
        """Put a point behind the others."""
        if self._count == self._points.shape[1]:
            self._points = np.concatenate((self._points, np.empty_like(self._points)), axis=1)
        self._points[:, self._count] = x, y
        self._count += 1

    @property
    def xs(self) -> Floats:
        """(N,) a view, not a copy."""
        return self._points[0, : self._count]

    @property
    def ys(self) -> Floats:
        """(N,) a view, not a copy."""
        return self._points[1, : self._count]

    def __len__(self) -> int:
        return self._count


class RunHistory:
    """What a chart and its numbers need to know of a run."""

    def __init__(self) -> None:
        self.train, self.validation = Curve(), Curve()
        self.started: RunStarted | None = None
        self.last_step: Step | None = None
        self.last_evaluation: Evaluation | None = None
        self.ended: RunEnded | None = None
        self.samples: list[Sample] = []
        self._elapsed = Curve()

    def add(self, events: Iterable[TrainingEvent]) -> None:
        """Take events in, in their order."""
        for event in events:
            match event:
                case Step():
                    self.last_step = event
                    self.train.add(event.step, event.loss)
                    self._elapsed.add(event.step, event.elapsed_s)
                case Evaluation():
                    self.last_evaluation = event
                    self.validation.add(event.step, event.validation_loss)
                case Sample():
                    self.samples.append(event)
                case RunStarted():
                    self.started, self.ended = event, None
                case RunEnded():
                    self.ended = event
                case _:
                    pass

    @property
    def step(self) -> int:
        """Steps done."""
        return self.last_step.step if self.last_step else self.started.step if self.started else 0

    @property
    def steps(self) -> int:
        """Steps in all; 0 before the run has begun."""
        return self.started.steps if self.started else 0

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and loss of the best evaluation."""
        found = self.last_evaluation
        return (found.best_step, found.best_loss) if found and math.isfinite(found.best_loss) else None

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far, pauses left out."""
        return self.ended.elapsed_s if self.ended else self.last_step.elapsed_s if self.last_step else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds to go at the recent pace, evaluations included; None before it can be told."""
        if self.ended or len(self._elapsed) < 2:
            return None
        # Over at least two evaluations' distance, so that their time is counted at its share.
        between = np.diff(self.validation.xs[-3:]).sum() if len(self.validation) > 2 else 0
        reach = int(min(len(self._elapsed) - 1, max(RECENT, between)))
        steps = self._elapsed.xs[-1] - self._elapsed.xs[-1 - reach]
        seconds = self._elapsed.ys[-1] - self._elapsed.ys[-1 - reach]
        return float(seconds / steps * (self.steps - self.step)) if steps > 0 else None
