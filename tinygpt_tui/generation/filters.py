"""What narrows the choice of the next token: one pure function for each setting, in the order of this file.

The first ones change logits float64, in which -inf means impossible. Then the temperature turns logits into weights,
exp(logit / temperature). The top filters only say how many of the most likely tokens stay, each seeing what the one
before it left, so tokens are ranked once; `keep_top` then keeps exactly that many, ties by the lower id.
What takes (..., V) or (..., N) treats each row by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]
Weights = NDArray[np.float64]  # not normalised
Counts = int | NDArray[np.intp]  # one, or one for each row

COLDEST = 1e-60  # a temperature below it draws the same, and would divide logits to infinity
WEAKEST = 1e-100  # the same for a penalty


def mask_out(logits: Logits, banned: NDArray[np.bool_]) -> Logits:
    """Make the tokens of logits (..., V) that are `banned` (..., V) impossible.

    >>> mask_out(np.array([1.0, 3.0, 2.0]), np.array([False, True, False])).tolist()
    [1.0, -inf, 2.0]
    """
    return np.where(banned, -np.inf, logits)


def repetition_penalty(logits: Logits, ids: NDArray[np.intp], penalty: float) -> Logits:
    """Divide the logits (V,) of `ids` by `penalty`, or multiply them by it if they are negative.

    So a penalty above 1 makes them less likely. `ids` are those in the text, each once.
    Source: Keskar et al. 2019 (CTRL), section 4.1, with Hugging Face's rule for negative logits.

    >>> repetition_penalty(np.array([2.0, -1.0, 3.0]), np.array([0, 1]), 2.0).tolist()
    [1.0, -2.0, 3.0]
    """
    strength = max(penalty, WEAKEST)
    seen = logits.take(ids)
    changed = logits.copy()
    # The lower of the two, whatever the sign; for a penalty below 1 the higher.
    weaker = np.minimum if strength >= 1 else np.maximum
    changed[ids] = weaker(seen / strength, seen * strength)
    return changed


def top_k(ranked: Weights, k: float, mass: float | None = None) -> int:
    """Return how many of `ranked` (..., N), falling, are among the first `k`.

    >>> top_k(np.array([3.0, 3.0, 2.0, 1.0]), 2)
    2
    """
    size: int = ranked.shape[-1]
    return min(int(k), size)


def top_p(ranked: Weights, p: float, mass: float | None = None) -> Counts:
    """Return the smallest number of `ranked` (..., N), falling, that have probability `p` or more together.

    If `ranked` are only the first of all tokens, `mass` is the sum of all weights; N + 1 then means "more than these".

    >>> top_p(np.array([5.0, 3.0, 2.0]), 0.6)
    2
    """
    sums = np.add.accumulate(ranked, axis=-1)
    if sums.ndim == 1:
        return int(sums.searchsorted(p * (sums.item(-1) if mass is None else mass))) + 1
    too_few: NDArray[np.bool_] = sums < p * (_at(sums, -1) if mass is None else mass)
    counts: Counts = _count(too_few) + 1
    return counts


def min_p(ranked: Weights, share: float, mass: float | None = None) -> Counts:
    """Return how many of `ranked` (..., N), falling, have `share` of the first one's probability or more.

    >>> min_p(np.array([5.0, 3.0, 2.0]), 0.5)
    2
    """
    if ranked.ndim == 1:
        return len(ranked) - int(ranked[::-1].searchsorted(share * ranked.item(0)))
    return _count(ranked >= share * _at(ranked, 0))


class TopFilter(NamedTuple):
    """A rule (ranked (..., N), value of the setting, mass) -> how many stay, and whether it depends on the mass."""

    rule: Callable[[Weights, float, float | None], Counts]
    uses_mass: bool = False


Chosen = tuple[tuple[TopFilter, float], ...]  # filters with the values of their settings, in order

# By the name of the setting, in the order in which they apply; a setting with its default value does nothing.
TOP_FILTERS = {
    "top_k": TopFilter(top_k),
    "top_p": TopFilter(top_p, uses_mass=True),
    "min_p": TopFilter(min_p),
}


def count_top(ranked: Weights, chosen: Chosen, mass: float | None = None) -> Counts:
    """Return how many of `ranked` (..., N), falling, stay when each filter sees what the one before it left.

    With `mass` (see `top_p`) N or more means "all of these, and perhaps more".

    >>> count_top(np.array([4.0, 3.0, 2.0, 1.0]), ((TOP_FILTERS["top_k"], 3), (TOP_FILTERS["top_p"], 0.5)))
    2
    """
    count: Counts = ranked.shape[-1]
    for place, (filter, value) in enumerate(chosen):
        count = filter.rule(ranked, value, mass)
        if place == len(chosen) - 1:
            break
        if isinstance(count, int):
            if mass is not None and count >= ranked.shape[-1]:
                break  # what the next filter sees is not known
            ranked = ranked[..., :count]
        else:
            ranked = np.where(np.arange(ranked.shape[-1]) < count[..., None], ranked, 0.0)
        mass = None
    return count


def keep_top(weights: Weights, ranked: Weights, counts: Counts) -> Weights:
    """Keep exactly `counts` of the highest weights (..., V), ties by the lower id; the others become 0.

    `ranked` are the highest, falling: as many, or more.

    >>> keep_top(np.array([1.0, 3.0, 3.0, 2.0]), np.array([3.0, 3.0, 2.0]), 1).tolist()
    [0.0, 3.0, 0.0, 0.0]
    """
    if isinstance(counts, int):
        if ranked.ndim == 1 and counts < len(ranked) and ranked.item(counts) < ranked.item(counts - 1):
            above: Weights = weights * (weights > ranked.item(counts))
            return above  # no equals of the last one: several times as fast
        last = _at(ranked, counts - 1)
        wanted = counts * (weights.size // weights.shape[-1])
    else:
        last = np.take_along_axis(ranked, counts[..., None] - 1, axis=-1)
        wanted = int(counts.sum())
    stays = weights >= last
    if np.count_nonzero(stays) > wanted:
        # There are equals of the last one: keep as many as there is room for.
        equal = weights == last
        room = counts - _count(weights > last)
        stays &= ~equal | (np.add.accumulate(equal, axis=-1, dtype=np.intp) <= np.asarray(room)[..., None])
    left: Weights = weights * stays
    return left


def _at(weights: Weights, place: int) -> Any:
    """Return the weight at `place` of each row, to compare with all of its row; a number if there is one row."""
    return weights[place] if weights.ndim == 1 else weights[..., place, None]


def _count(mask: NDArray[np.bool_]) -> Counts:
    if mask.ndim == 1:
        return int(np.count_nonzero(mask))  # several times as fast as the sum
    counts: NDArray[np.intp] = np.add.reduce(mask, axis=-1, dtype=np.intp)
    return counts
