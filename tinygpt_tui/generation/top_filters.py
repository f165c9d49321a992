"""From logits and one random number to an id: the filters after the temperature, then the inverse distribution.

A small vocabulary is ranked as a whole, several texts at once. For a large one that would cost more than a model of
some million parameters: there only the likeliest are ranked, in memory that is asked for once (fresh memory of this
size costs more than what is computed in it).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.generation import filters
from tinygpt_tui.generation.filters import Counts, Logits, Weights
from tinygpt_tui.settings.sampling import SamplingSettings

LARGE = 4096  # tokens; larger vocabularies are ranked only as far as needed
RANKED = (1024, 8192)  # of a large vocabulary, where top-p asks for the likeliest
ROUGHNESS = 2e-6  # bounds the error of a float32 sum of weights: 6e-8 ln V, and 2e-7 of exp itself
FAINTEST = -100.0  # logits below it weigh nothing beside one of 0, and are within float32
BLOCK = 256


def narrows(settings: SamplingSettings) -> bool:
    """Whether one of the filters after the temperature does anything."""
    return settings.top_k > 0 or settings.top_p < 1 or settings.min_p > 0


def narrowed(weights: Weights, settings: SamplingSettings) -> Weights:
    """Apply top-k, top-p and min-p to `weights` (..., V): what is left keeps its weight, the others have 0."""
    rising = weights.copy()
    rising.sort(axis=-1)
    if weights.ndim == 1:
        return _narrowed_row(weights, rising, settings)
    likeliest = rising[..., ::-1]
    likeliest = likeliest[..., : filters.top_k(likeliest, settings.top_k)]
    return filters.keep(weights, likeliest, _counts(likeliest, settings))


def _narrowed_row(weights: Weights, rising: Weights, settings: SamplingSettings) -> Weights:
    """Do the same for one text in two thirds of the time; `rising` (V,) are the weights in order."""
    size = len(rising)
    likeliest, count = rising[::-1], size
    if 0 < settings.top_k < size:
        count = settings.top_k
        likeliest = likeliest[:count]
    if settings.top_p < 1:
        sums = np.add.accumulate(likeliest)
        count = int(sums.searchsorted(settings.top_p * sums.item(-1))) + 1
    if settings.min_p > 0:
        count = min(count, size - int(rising.searchsorted(settings.min_p * rising.item(-1))))
    last = rising.item(size - count)
    if count < size and rising.item(size - count - 1) == last:  # equals, of which the lower ids stay
        return filters.keep(weights, rising[::-1], count)
    left: Weights = weights * (weights >= last)
    return left


def pick(weights: Weights, share: float) -> int:
    """Return the first id up to which there is more than `share` (0 to 1) of all weight; weights (V,)."""
    sums = np.add.accumulate(weights)
    return int(sums.searchsorted(share * sums.item(-1), "right"))


def pick_rows(weights: Weights, shares: NDArray[np.float64]) -> list[int]:
    """Do the same for each row of `weights` (B, V) with its own share (B,)."""
    sums = np.add.accumulate(weights, axis=-1)
    ids: list[int] = np.add.reduce(sums <= (shares * sums[:, -1])[:, None], axis=-1, dtype=np.intp).tolist()
    return ids


class LargeChoice:
    """Chooses from a vocabulary of more than LARGE tokens."""

    def __init__(self, settings: SamplingSettings, size: int) -> None:
        self._settings = settings
        self._work = np.empty(size)
        self._rough = np.empty(size, dtype=np.float32)
        self._mask = np.empty(size, dtype=np.bool_)
        self._blocks = np.arange(0, size, BLOCK)

    def choose(self, left: Logits, share: float) -> int:
        """Return the id for `share`; `left` (V,) has its highest at 0 and is overwritten."""
        settings, size = self._settings, len(left)
        if 0 < settings.top_k < size:
            np.copyto(self._work, left)
            self._work.partition(size - settings.top_k)
            self._mark(left, self._work[size - settings.top_k], settings.top_k)
            ids = np.flatnonzero(self._mask)
            return int(ids[pick(narrowed(np.exp(left[ids]), settings), share)])
        if settings.top_p < 1:
            self._mark(left, *self._nucleus(left))
        elif settings.min_p > 0:
            np.greater_equal(left, math.log(settings.min_p), out=self._mask)
        else:
            return self._pick_from_all(np.exp(left, out=left), share)
        if np.count_nonzero(self._mask) > LARGE:
            np.exp(left, out=left)
            return self._pick_from_all(np.multiply(left, self._mask, out=left), share)
        ids = np.flatnonzero(self._mask)
        return int(ids[pick(np.exp(left[ids]), share)])

    def _nucleus(self, left: Logits) -> tuple[float, int]:
        """Return the lowest logit that top-p and min-p leave, and how many they leave.

        The sum of all weights is taken in float32 first, which is four times as quick. Where its error could change the
        count, and where the likeliest are too many, everything is done as for a small vocabulary.
        """
        settings, size = self._settings, len(left)
        np.maximum(left, FAINTEST, out=self._rough, casting="same_kind")
        rough = float(np.add.reduce(np.exp(self._rough, out=self._rough), dtype=np.float64))
        np.copyto(self._work, left)
        for ranked in RANKED:
            first = max(size - ranked, 0)
            self._work.partition(first)
            logits = np.sort(self._work[first:])[::-1]
            weights = np.exp(logits)
            least = filters.top_p(weights, settings.top_p, rough * (1 - ROUGHNESS))
            most = int(filters.top_p(weights, settings.top_p, rough * (1 + ROUGHNESS)))
            if least == most <= len(logits):
                count = min(most, int(filters.min_p(weights, settings.min_p)))
                return logits[count - 1], count
        self._work.sort()
        logits = self._work[::-1]
        count = int(_counts(np.exp(logits), settings))
        return logits[count - 1], count

    def _mark(self, left: Logits, last: float, count: int) -> None:
        """Mark the `count` highest, of which `last` is the last one, in the mask; ties by the lower id."""
        np.greater_equal(left, last, out=self._mask)
        more = np.count_nonzero(self._mask) - count
        if more:
            self._mask[np.flatnonzero(left == last)[-more:]] = False

    def _pick_from_all(self, weights: Weights, share: float) -> int:
        # Summing one by one waits for each addition; sums of blocks do not, and then one block is enough.
        blocks = np.add.accumulate(np.add.reduceat(weights, self._blocks))
        wanted = share * blocks[-1]
        block = int(blocks.searchsorted(wanted, side="right"))
        before = blocks[block - 1] if block else 0.0
        inside = weights[block * BLOCK : (block + 1) * BLOCK]
        place = int(np.add.accumulate(inside).searchsorted(wanted - before, side="right"))
        return block * BLOCK + min(place, int(np.flatnonzero(inside)[-1]))  # rounding must not lead out of the block


def _counts(likeliest: Weights, settings: SamplingSettings) -> Counts:
    """Return how many of `likeliest` (..., N), falling, top-p and then min-p leave."""
    counts = filters.top_p(likeliest, settings.top_p)
    if settings.min_p > 0:
        # Of the likeliest first so many, and of these first so many: the smaller of the two counts.
        least = filters.min_p(likeliest, settings.min_p)
        if isinstance(counts, int) and isinstance(least, int):
            return min(counts, least)
        return np.minimum(counts, least)
    return counts
