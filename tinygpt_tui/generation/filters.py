"""What narrows the choice of the next token, one pure function each.

The order, written once: banned and allowed characters, repetition penalty, temperature, top-k, top-p, min-p.

The first three change logits (V,) float64; a token that is out of the running has -inf. The last three are about
weights, exp(logit), and only say how many of the likeliest stay, each seeing what the one before it left; `keep` then
leaves exactly so many, ties by the lower id. So the tokens are ranked once, and only as far as somebody asks.
What takes (..., V) or (..., N) does the same for each row by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]
Weights = NDArray[np.float64]  # not normalised
Counts = int | NDArray[np.intp]  # one, or one for each row

COLDEST = 1e-60  # a temperature below it draws the same, and would divide logits to infinity
WEAKEST = 1e-100  # the same for a penalty


def bar(logits: Logits, barred: NDArray[np.bool_]) -> Logits:
    """Take out the `barred` (..., V): what is banned, or not among the allowed.

    >>> bar(np.array([1.0, 3.0, 2.0]), np.array([False, True, False])).tolist()
    [1.0, -inf, 2.0]
    """
    return np.where(barred, -np.inf, logits)


def repetition_penalty(logits: Logits, ids: NDArray[np.intp], penalty: float) -> Logits:
    """Divide the logits (V,) of `ids` by `penalty`, or multiply them by it where they are negative.

    So a penalty above 1 makes them less likely. `ids` are those that stand in the text, each once.
    Source: Keskar et al. 2019 (CTRL), section 4.1, with Hugging Face's answer to negative logits.

    >>> repetition_penalty(np.array([2.0, -1.0, 3.0]), np.array([0, 1]), 2.0).tolist()
    [1.0, -2.0, 3.0]
    """
    strength = max(penalty, WEAKEST)
    seen = logits.take(ids)
    changed = logits.copy()
    # Of the two the lower one is meant, whatever the sign; below 1 the higher one.
    weaker = np.minimum if strength >= 1 else np.maximum
    changed[ids] = weaker(seen / strength, seen * strength)
    return changed


def temperature(logits: Logits, degrees: float) -> Logits:
    """Sharpen (below 1) or flatten (above 1) the distribution; `degrees` > 0.

    >>> temperature(np.array([0.0, 1.0]), 0.5).tolist()
    [0.0, 2.0]
    """
    return logits / max(degrees, COLDEST)


def top_k(likeliest: Weights, k: int) -> int:
    """Return how many of `likeliest` (..., N), falling, are among the first `k`; 0 keeps all.

    >>> top_k(np.array([3.0, 3.0, 2.0, 1.0]), 2)
    2
    """
    size: int = likeliest.shape[-1]
    return k if 0 < k < size else size


def top_p(likeliest: Weights, p: float, mass: float | None = None) -> Counts:
    """Return how few of `likeliest` (..., N), falling, have probability `p` or more together. 0 < p <= 1.

    `mass` is the sum of all weights that are left, where `likeliest` are only the first of them: then N + 1 says that
    all of these are not enough.

    >>> top_p(np.array([5.0, 3.0, 2.0]), 0.6)
    2
    """
    size: int = likeliest.shape[-1]
    if p >= 1:
        return size
    sums = np.add.accumulate(likeliest, axis=-1)
    if sums.ndim == 1:
        return int(sums.searchsorted(p * (sums[-1] if mass is None else mass))) + 1
    too_few: NDArray[np.bool_] = sums < p * (_at(sums, -1) if mass is None else mass)
    counts: Counts = _count(too_few) + 1
    return counts


def min_p(likeliest: Weights, share: float) -> Counts:
    """Return how many of `likeliest` (..., N), falling, have `share` of the first one's probability or more.

    >>> min_p(np.array([5.0, 3.0, 2.0]), 0.5)
    2
    """
    if likeliest.ndim == 1:
        return len(likeliest) - int(likeliest[::-1].searchsorted(share * likeliest[0]))
    return _count(likeliest >= share * _at(likeliest, 0))


def keep(weights: Weights, likeliest: Weights, counts: Counts) -> Weights:
    """Keep exactly `counts` of the highest weights (..., V), ties by the lower id; the others become 0.

    `likeliest` are the highest, falling: as many, or more.

    >>> keep(np.array([1.0, 3.0, 3.0, 2.0]), np.array([3.0, 3.0, 2.0]), 1).tolist()
    [0.0, 3.0, 0.0, 0.0]
    """
    if isinstance(counts, int):
        last = _at(likeliest, counts - 1)
        wanted = counts * (weights.size // weights.shape[-1])
    else:
        last = np.take_along_axis(likeliest, counts[..., None] - 1, axis=-1)
        wanted = int(counts.sum())
    kept = weights >= last
    if np.count_nonzero(kept) > wanted:
        # Equals of the last: as many as there is room for.
        equal = weights == last
        room = counts - _count(weights > last)
        kept &= ~equal | (np.add.accumulate(equal, axis=-1, dtype=np.intp) <= np.asarray(room)[..., None])
    left: Weights = weights * kept
    return left


def _at(weights: Weights, place: int) -> Any:
    """Return the weight at `place` of each row, to be compared with all of its row; a number where there is one row."""
    return weights[place] if weights.ndim == 1 else weights[..., place, None]


def _count(mask: NDArray[np.bool_]) -> Counts:
    """Return how many are true in each row."""
    if mask.ndim == 1:
        return int(np.count_nonzero(mask))  # several times as quick as the sum
    counts: NDArray[np.intp] = np.add.reduce(mask, axis=-1, dtype=np.intp)
    return counts
