"""How sure a model is against how often it is right, and the one number that makes the two agree.

Its logits are multiplied by `logit_scale` (one over the temperature of Guo et al., "On Calibration of Modern Neural
Networks", 2017): no order of tokens changes, only how sure the model says it is.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.corpora.rows import IGNORED
from tinygpt_tui.foreign.losses import Forward, Piece, against_highest

BARS = 10
SCALES = np.exp(np.arange(-12, 13) * 0.09)  # 9 % apart: one step of Newton's method from the best is exact to 0.1 %

LOWEST = -1e4  # of logits less the highest: exp is 0 all the same


@dataclass(frozen=True)
class Fit:
    """The best factor for a model's logits on some tokens, and their loss before and after, nats a token."""

    logit_scale: float
    tokens: int
    loss: float
    calibrated_loss: float


@dataclass(frozen=True)
class Reliability:
    """By ten bars of how sure the model was of its most likely token: the tokens, how sure, how often it was right.

    `sure` and `right` (10,) are means, nan where a bar has no `tokens` (10,). Bar 0 holds what it gave up to 10 %.
    `loss` is that of all tokens, nats a token.
    """

    tokens: NDArray[np.int64]
    sure: NDArray[np.float64]
    right: NDArray[np.float64]
    loss: float

    @property
    def confidence(self) -> float:
        """The mean probability of its most likely token."""
        return self._mean(self.sure)

    @property
    def accuracy(self) -> float:
        """How often its most likely token was the next one."""
        return self._mean(self.right)

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of the two, by tokens."""
        return self._mean(np.abs(self.sure - self.right))

    def _mean(self, values: NDArray[np.float64]) -> float:
        return float(np.nansum(values * self.tokens) / self.tokens.sum())


def fitting(forward: Forward, pieces: Sequence[Piece]) -> Generator[float, None, Fit]:
    """Yield the share that is done, and return the factor by which the loss of `pieces` is lowest; 1 without targets.

    The loss is convex in the factor: all of SCALES are tried in one pass, and Newton's method continues from the best.
    """
    sums = np.zeros((3, len(SCALES)))  # of the losses, and of their first and second derivatives
    for done, (read, targets) in enumerate(pieces):
        left, wanted = _finite(forward(read), targets)
        for place, scale in enumerate(SCALES):
            powers = np.exp(left * np.float32(scale))
            mass = powers.sum(axis=1, dtype=np.float64)
            mean = np.einsum("nv,nv->n", powers, left) / mass
            square = np.einsum("nv,nv,nv->n", powers, left, left) / mass
            sums[:, place] += (np.log(mass) - scale * wanted).sum(), (mean - wanted).sum(), (square - mean**2).sum()
        yield (done + 1) / len(pieces)
    losses, slopes, curvatures = sums
    best, tokens = int(losses.argmin()), sum(int((targets != IGNORED).sum()) for _, targets in pieces)
    if not tokens:
        return Fit(1.0, 0, math.inf, math.inf)
    step = -slopes[best] / curvatures[best] if curvatures[best] > 0 else 0.0
    scale = float(np.clip(SCALES[best] + step, SCALES[0], SCALES[-1]))
    step = scale - SCALES[best]
    lowest = losses[best] + slopes[best] * step + curvatures[best] * step**2 / 2
    return Fit(scale, tokens, float(losses[len(SCALES) // 2]) / tokens, float(lowest) / tokens)


def measuring(
    forward: Forward, pieces: Sequence[Piece], scales: Sequence[float] = (1.0,)
) -> Generator[float, None, list[Reliability]]:
    """Yield the share that is done, and return how sure and how right the model is with its logits times each scale."""
    sums = np.zeros((len(scales), 3, BARS))  # of the tokens, of how sure it was, of how often it was right
    losses = np.zeros(len(scales))
    for done, (read, targets) in enumerate(pieces):
        left, wanted = _finite(forward(read), targets)
        for place, scale in enumerate(scales):
            mass = np.exp(left * np.float32(scale)).sum(axis=1, dtype=np.float64)
            bars = np.clip(np.ceil(BARS / mass).astype(np.int64) - 1, 0, BARS - 1)
            for row, values in enumerate((np.ones_like(mass), 1 / mass, wanted == 0)):
                sums[place, row] += np.bincount(bars, values, BARS)
            losses[place] += float((np.log(mass) - scale * wanted).sum())
        yield (done + 1) / len(pieces)
    with np.errstate(invalid="ignore"):
        return [
            Reliability(tokens.astype(np.int64), sure / tokens, right / tokens, float(loss / tokens.sum()))
            for (tokens, sure, right), loss in zip(sums, losses, strict=True)
        ]


def halves(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Return every second window of `pieces`, and the others."""
    return tuple([(read[at::2], targets[at::2]) for read, targets in pieces if len(read) > at] for at in (0, 1))  # type: ignore[return-value]


def _finite(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what `against_highest` does, of targets that count; an impossible token has a probability of nothing."""
    wanted = targets.reshape(-1)
    counts = wanted != IGNORED
    left = against_highest(logits.reshape(len(wanted), logits.shape[-1])[counts], wanted[counts])[0].astype(np.float32)
    np.nan_to_num(left, copy=False, nan=LOWEST, neginf=LOWEST)
    return left, left[np.arange(len(left)), wanted[counts]]
