"""The trend of a curve of validation losses, separated from its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.runs.history import RunHistory

Floats = NDArray[np.float64]

# A difference below this, in nats, cannot be noticed in the text; seeds differ by more.
LEAST_RISE, LEAST_NOISE = 0.01, 0.002
# The best of forty noisy points is two deviations too good by luck alone.
CLEAR = 5.0
LEVEL_SHARE = 0.004  # of the loss itself
FEWEST_LEVEL = 3  # intervals between evaluations
FEWEST_RISING = 2  # evaluations after the best one


@dataclass(frozen=True)
class Trend:
    """`overfitting`: since the step with the best validation loss, training still falls and validation rises.

    `worse`: validation rises since then, and training does not fall. `level`: no change since that step. All None if
    the curve shows nothing of the kind.
    """

    overfitting: int | None = None
    worse: int | None = None
    level: int | None = None


def trend_of(history: RunHistory) -> Trend:
    """Return the trend of the validation loss. The untrained model does not count."""
    steps, losses = history.comparable_losses
    _, gaps = history.gaps
    trained = slice(len(steps) - len(gaps), None)
    return trend(steps[trained], losses[trained], losses[trained] - gaps)


def trend(steps: Floats, validation: Floats, train: Floats) -> Trend:
    """Return the trend of a validation loss (N,) at `steps` (N,); `train` (N,) is the mean since the one before."""
    count = len(steps)
    if count < FEWEST_RISING + 1:
        return Trend()
    best = int(np.argmin(validation))
    if count - 1 - best >= FEWEST_RISING:
        # Two in a row may be luck: what counts is how far both are above the best, against how much the curve jumps.
        rise = float(validation[-FEWEST_RISING:].min() - validation[best])
        if rise > max(LEAST_RISE, CLEAR * noise_of(validation)):
            since = int(steps[best])
            return Trend(overfitting=since) if train[-FEWEST_RISING:].max() < train[best] else Trend(worse=since)
    return Trend(level=_level(steps, validation))


def noise_of(losses: Floats) -> float:
    """How much a curve (N,) jumps from point to point: a standard deviation, from how it bends.

    A smooth curve hardly bends and hardly changes its bend; noise of deviation s makes third differences of deviation
    s * sqrt(20). The median ignores the steep start, once there are enough of them.
    """
    changes = np.abs(np.diff(losses, 3))
    if not len(changes):
        return LEAST_NOISE
    typical = float(np.median(changes) if len(changes) >= 4 else changes.max())
    return max(LEAST_NOISE, typical * (1.4826 if len(changes) >= 4 else 1.0) / 20**0.5)


def _level(steps: Floats, validation: Floats) -> int | None:
    """The step since which the loss has stayed within a narrow band; None if that is not long."""
    band = max(LEAST_NOISE, LEVEL_SHARE * float(validation[-1]))
    highest, lowest = np.maximum.accumulate(validation[::-1]), np.minimum.accumulate(validation[::-1])
    inside = int(np.argmax(np.append(highest - lowest > band, True)))  # how many of the newest are in the band
    return int(steps[-inside]) if inside > FEWEST_LEVEL else None
