"""Which of many texts are nearly the same as an earlier one, by MinHash: the passages of 8 characters that they share.

The signature of a text has BINS numbers, each the smallest hash of those of its passages that fall in that bin. Two
texts share about as many of these numbers as they share passages (Jaccard). Only texts with one equal band of a few
numbers are compared. Sources: Broder 1997; Shrivastava and Li 2014 (one permutation, empty bins filled from the next).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.corpora.rolling_hash import RollingHash, numbers_of

Signatures = NDArray[np.uint32]

PASSAGE = 8  # characters
BINS, BAND = 64, 4
ALIKE = 0.8  # of the passages that two texts have together
SHORTEST = 64  # characters: of shorter texts one word more or less decides
MOST_CHARACTERS = 1 << 20  # of the texts whose signatures are made at once
_EMPTY = np.uint32(0xFFFFFFFF)


@cache
def _rolling_hash() -> RollingHash:
    return RollingHash(PASSAGE, MOST_CHARACTERS)


def signatures(texts: Sequence[str]) -> Signatures:
    """Return the signatures (D, BINS) of texts of at least PASSAGE and together at most MOST_CHARACTERS characters."""
    lengths = np.array([len(text) for text in texts])
    hashes = _rolling_hash().windows(numbers_of("".join(texts)))
    hashes = (hashes ^ hashes >> np.uint64(29)) * np.uint64(0x94D049BB133111EB)
    inside = np.ones(len(hashes), dtype=np.bool_)
    for back in range(1, PASSAGE):  # passages that reach into the next text
        inside[np.cumsum(lengths)[:-1] - back] = False
    owner = np.repeat(np.arange(len(texts)), lengths - PASSAGE + 1)
    hashes = hashes[inside]
    slots = owner * BINS + (hashes >> np.uint64(58)).astype(np.int64)
    found = np.full(len(texts) * BINS, _EMPTY)
    np.minimum.at(found, slots, (hashes >> np.uint64(26)).astype(np.uint32))
    return _filled(found.reshape(-1, BINS))


def _filled(found: Signatures) -> Signatures:
    """Give each empty bin what the next filled one has, and how far that is."""
    step = np.uint32(0x9E3779B1)
    for _ in range(BINS - 1):
        empty = found == _EMPTY
        if not empty.any():
            break
        found = np.where(empty, np.where(np.roll(empty, -1, 1), _EMPTY, np.roll(found, -1, 1) + step), found)
    return found


def near_copies(found: Signatures) -> NDArray[np.int64]:
    """Return for each of the signatures (D, BINS) an earlier one that is nearly the same, or its own place, (D,)."""
    places = np.arange(len(found))
    earlier = places.copy()
    for start in range(0, BINS, BAND):
        _, first, group = np.unique(found[:, start : start + BAND], axis=0, return_index=True, return_inverse=True)
        other = first[group.reshape(-1)]
        rows = np.flatnonzero((other < places) & (earlier == places))
        equal = (found[rows] == found[other[rows]]).mean(axis=1)
        earlier[rows[equal >= ALIKE]] = other[rows[equal >= ALIKE]]
    return earlier
