"""From logits and one random number to an id: the top filters, then the inverse distribution.

A small vocabulary is ranked completely, several texts at once. For a large one that would cost more than a model of
some million parameters: only the most likely tokens are ranked, in memory that is allocated once (fresh memory of this
size costs more than what is computed in it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.generation.filters import TOP_FILTERS, Chosen, Logits, Weights, count_top, keep_top
from tinygpt_tui.settings.sampling import SamplingSettings

LARGE = 4096  # tokens; larger vocabularies are ranked only as far as needed
FLOORS = (-5.0, -10.0)  # logits down to these below the highest are ranked first: comparing is faster than ranking
RANKED = (1024, 8192)  # this many are ranked next, if those are too few or too many
ROUGHNESS = 2e-6  # bounds the error of a float32 sum of weights: 6e-8 ln V, and 2e-7 of exp itself
FAINTEST = -100.0  # logits below it weigh nothing beside one of 0, and are within float32
BLOCK = 256
_DEFAULT = SamplingSettings()


@dataclass(frozen=True)
class TopFilters:
    """The top filters that some settings use, with their values; the same object for the same ones."""

    chosen: Chosen

    @classmethod
    def of(cls, settings: SamplingSettings) -> TopFilters:
        """Return the filters whose setting is not the default."""
        values = {name: getattr(settings, name) for name in TOP_FILTERS}
        return _shared(
            tuple((TOP_FILTERS[name], values[name]) for name in values if values[name] != getattr(_DEFAULT, name))
        )

    def apply(self, weights: Weights) -> Weights:
        """Return `weights` (..., V) with 0 for the tokens that do not stay."""
        if not self.chosen:
            return weights
        rising = weights.copy()
        rising.sort(axis=-1)
        ranked = rising[..., ::-1]
        return keep_top(weights, ranked, count_top(ranked, self.chosen))


@lru_cache
def _shared(chosen: Chosen) -> TopFilters:
    return TopFilters(chosen)


def pick(weights: Weights, share: float) -> int:
    """Return the first id up to which there is more than `share` (0 to 1) of all weight; weights (V,)."""
    sums = np.add.accumulate(weights)
    return int(sums.searchsorted(share * sums.item(-1), "right"))


def pick_rows(weights: Weights, numbers: NDArray[np.float64]) -> list[int]:
    """Do the same for each row of `weights` (B, V) with its own share, of `numbers` (B,)."""
    sums = np.add.accumulate(weights, axis=-1)
    ids: list[int] = np.add.reduce(sums <= (numbers * sums[:, -1])[:, None], axis=-1, dtype=np.intp).tolist()
    return ids


class LargeChoice:
    """Draws from a vocabulary of more than LARGE tokens."""

    def __init__(self, top: TopFilters, size: int) -> None:
        self._chosen = top.chosen
        self._work = np.empty(size)
        self._rough = np.empty(size, dtype=np.float32)
        self._mask = np.empty(size, dtype=np.bool_)
        self._blocks = np.arange(0, size, BLOCK)

    def choose(self, left: Logits, share: float) -> int:
        """Return the id for `share`; logits `left` (V,) have their highest at 0 and are overwritten."""
        if not self._chosen:
            return self._pick_from_all(np.exp(left, out=left), share)
        last, count = self._cut(left)
        self._mark(left, last, count)
        if count > LARGE:
            np.exp(left, out=left)
            return self._pick_from_all(np.multiply(left, self._mask, out=left), share)
        ids = np.flatnonzero(self._mask)
        return int(ids[pick(np.exp(left[ids]), share)])

    def _cut(self, left: Logits) -> tuple[float, int]:
        """Return the lowest of the logits `left` (V,) that stay, and how many stay; rank only as many as needed."""
        least, most = self._mass(left) if self._chosen[0][0].uses_mass else (0.0, 0.0)
        for logits in self._ranked(left):
            weights = np.exp(logits)
            count = cast(int, count_top(weights, self._chosen, least))
            if count < len(logits) and (least == most or count == count_top(weights, self._chosen, most)):
                return logits[count - 1], count
        self._work.sort()
        logits = self._work[::-1]
        count = cast(int, count_top(np.exp(logits), self._chosen))
        return logits[count - 1], count

    def _ranked(self, left: Logits) -> Iterator[Logits]:
        """Yield the highest of the logits `left` (V,), falling: more of them each time, but never all."""
        for floor in FLOORS:
            ids = np.flatnonzero(np.greater_equal(left, floor, out=self._mask))
            if len(ids) > LARGE:
                break
            yield np.sort(left[ids])[::-1]
        np.copyto(self._work, left)
        for ranked in RANKED:
            if ranked < len(left):
                self._work.partition(len(left) - ranked)
                yield np.sort(self._work[-ranked:])[::-1]

    def _mass(self, left: Logits) -> tuple[float, float]:
        """Return bounds of the sum of all weights: it is taken in float32, which is four times as fast."""
        np.maximum(left, FAINTEST, out=self._rough, casting="same_kind")
        rough = float(np.add.reduce(np.exp(self._rough, out=self._rough), dtype=np.float64))
        return rough * (1 - ROUGHNESS), rough * (1 + ROUGHNESS)

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
