"""The yardsticks of a corpus: how well those do who only count what follows what.

Counted on the part that a model learns from, measured on the part that judges it, in nats per token, for any
vocabulary. Runs of tokens are packed into one integer each and sorted, so that a megabyte takes a second or two, and
what is kept is one row for each *different* run: a hundred megabytes of ordinary text fit in a few hundred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.tokenizers.ids import Ids

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# How it is smoothed, for readers of the chart.
SMOOTHING = "interpolated Kneser–Ney, modified (Chen and Goodman 1998)"
NAMES = {1: "unigram", 2: "bigram", 3: "trigram", 5: "5-gram"}
HIGHEST = max(NAMES)
TOKENS_AT_ONCE = 1 << 22
# An order with more different runs is left out: they would need gigabytes, and hardly any occurs twice.
MOST_GRAMS = 1 << 24
LARGEST_KEY = (1 << 63) - 1


class Floor(msgspec.Struct, frozen=True):
    """The loss on the validation split, in nats per token, of a model that knows only the last `order` - 1 tokens."""

    name: str
    order: int
    loss: float


@dataclass(frozen=True)
class Grams:
    """The different runs of `order` tokens, packed and sorted (G,), and how often each is there (G,)."""

    order: int
    keys: Integers
    counts: Integers

    def suffixes(self, order: int, size: int, *, each_once: bool) -> Grams:
        """The runs of `order` tokens at the ends of these, counted as often as these are there, or each once."""
        ends = self.keys % size**order
        return Grams(order, *_summed(ends, np.ones_like(self.counts) if each_once else self.counts))


def floors_of(train: Ids, validation: Ids, size: int) -> list[Floor]:
    """Return the baselines of a corpus with `size` different tokens, the best last.

    Guessing, which knows nothing, is the first: ln `size`. An order is left out if its runs cannot be counted, or if
    knowing more does not help (the text is too short for runs of that length).
    """
    found = [Floor("guessing", 0, math.log(size))] if size > 1 else []
    top = _count_highest(train, size, max(order for order in NAMES if order <= max(1, len(train) - 1)))
    for order, name in NAMES.items():
        if top is not None and order <= top.order and len(validation) >= order:
            loss = KneserNey(train, top, order, size).loss(validation)
            if not found or loss < found[-1].loss:
                found.append(Floor(name, order, loss))
    return found


def count_grams(ids: Ids, order: int, size: int, most: int = MOST_GRAMS) -> Grams | None:
    """Count the runs of `order` of `size` tokens in `ids` (N,); None where they are too many, or too long to pack."""
    if size**order > LARGEST_KEY:
        return None
    keys, counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for start in range(0, len(ids) - order + 1, TOKENS_AT_ONCE):
        found = np.unique(_packed(ids[start : start + TOKENS_AT_ONCE + order - 1], order, size), return_counts=True)
        keys, counts = _summed(np.concatenate((keys, found[0])), np.concatenate((counts, found[1])))
        if len(keys) > most:
            return None
    return Grams(order, keys, counts)


class KneserNey:
    """Says how likely a token is after up to `order` - 1 others, from counts.

    The longest run is judged by how often it was seen, the shorter ones by how many different tokens they were seen
    after; each level gives up a little for the one below, and the last for guessing. Source: Chen and Goodman 1998,
    "An empirical study of smoothing techniques for language modeling", section 4.1.7 (three discounts).
    """

    def __init__(self, train: Ids, top: Grams, order: int, size: int) -> None:
        """`top` are the runs of `train`, at least `order` long."""
        self._order, self._size = order, size
        raw = top if order == top.order else _with_beginning(top, train, order, size)
        self._levels = [_Level(raw, size)]
        for shorter in range(order - 1, 0, -1):
            longer = raw if shorter == order - 1 else _with_beginning(top, train, shorter + 1, size)
            self._levels.insert(0, _Level(longer.suffixes(shorter, size, each_once=True), size))

    def loss(self, ids: Ids) -> float:
        """Return the mean of -ln p over `ids` (N,), nats per token, from the first one with a whole context on."""
        # Text repeats itself: each different run is asked for once.
        seen = count_grams(ids, self._order, self._size, most=len(ids))
        assert seen is not None, "runs that could be counted can be asked for"
        return float(-(np.log(self.probabilities(seen.keys)) @ seen.counts) / seen.counts.sum())

    def probabilities(self, keys: Integers) -> Floats:
        """Return the probability (Q,) of the last token of each packed run (Q,) after the others."""
        found = np.full(len(keys), 1.0 / self._size)
        for level in self._levels:
            found = level.probabilities(keys % self._size**level.order, found)
        return found


class _Level:
    """One length of runs: discounted counts over their context's, and what is left for the level below."""

    def __init__(self, grams: Grams, size: int) -> None:
        self.order, self._size, self._grams = grams.order, size, grams
        discounts = _discounts(grams.counts)
        self._discounted = grams.counts - discounts[np.minimum(grams.counts, 3)]
        contexts = grams.keys // size
        starts = np.flatnonzero(np.append(True, contexts[1:] != contexts[:-1]))
        self._contexts = contexts[starts]
        totals = np.add.reduceat(grams.counts, starts).astype(np.float64)
        self._totals = totals
        self._left = np.add.reduceat(discounts[np.minimum(grams.counts, 3)], starts) / totals

    def probabilities(self, keys: Integers, below: Floats) -> Floats:
        """Return p (Q,) of the runs `keys` (Q,), given what the level below says (Q,)."""
        at, known = _places(self._contexts, keys // self._size)
        place, seen = _places(self._grams.keys, keys)
        own = np.where(seen, self._discounted[place], 0.0) / self._totals[at]
        return np.where(known, own + self._left[at] * below, below)


def _count_highest(train: Ids, size: int, order: int) -> Grams | None:
    """Return the longest runs that can be counted, not longer than `order`: shorter ones follow from them."""
    while order and (found := count_grams(train, order, size)) is None:
        order -= 1
    return found if order else None


def _with_beginning(top: Grams, train: Ids, order: int, size: int) -> Grams:
    """Return the runs of `order` in `train`: the ends of longer ones, and those before the first of these ends."""
    ends = top.suffixes(order, size, each_once=False)
    first = _packed(train[: top.order - 1], order, size) if top.order > order else np.empty(0, dtype=np.int64)
    counts = np.concatenate((ends.counts, np.ones_like(first)))
    return Grams(order, *_summed(np.concatenate((ends.keys, first)), counts))


def _packed(ids: Ids, order: int, size: int) -> Integers:
    """Return each run of `order` tokens of `ids` (N,) as one number (N - order + 1,): the digits of base `size`."""
    count = max(0, len(ids) - order + 1)
    keys = np.zeros(count, dtype=np.int64)
    for place in range(order):
        keys *= size
        keys += ids[place : place + count]
    return keys


def _summed(keys: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """Return the different keys, sorted, with the sums of their counts."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.empty(0, dtype=np.int64)
    return keys[starts], np.add.reduceat(counts[order], starts) if len(starts) else counts[:0]


def _places(keys: Integers, asked: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Return where each asked key is among sorted ones, and whether it is there at all."""
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return places, keys[places] == asked


def _discounts(counts: Integers) -> Floats:
    """Return what is taken from a count of 0, 1, 2, and 3 or more (4,)."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        # A small vocabulary's short runs are all there many times: one discount for all, or half a count.
        alone = n1 / (n1 + 2 * n2) if n1 and n2 else 0.5
        return np.array([0.0, alone, alone, alone])
    y = n1 / (n1 + 2 * n2)
    wanted = np.array([0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    # In small texts the formula may ask for nothing, or for all: something must always be left on both sides.
    found: Floats = np.clip(wanted, [0.0, 0.05, 0.05, 0.05], [0.0, 0.95, 1.95, 2.95])
    return found
