"""Which windows of the corpus make up which step; it depends on seed and step alone.

Windows are drawn without replacement: in each epoch every window once, in a new order, cut at a new phase. Because a
step's batch depends on its number alone, resuming after a kill needs no saved data order. The order of a large text's
windows would fill the memory: it is computed, number by number, where it is needed.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.corpora.replies import Replies, targets_of
from tinygpt_tui.corpora.rows import Rows
from tinygpt_tui.tokenizers.ids import Ids

MOST_LISTED = 1 << 22  # windows whose order is a list in memory
ROUNDS = 6  # of the network that computes a longer order

Order = NDArray[np.int64] | NDArray[np.uint64]


class Batches(Protocol):
    """What makes up each step."""

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets of `step` (from 0), each (B, T); targets may be IGNORED."""


class Shuffle:
    """The numbers below `count`, each once in an epoch, in a new order; and for each epoch a phase below `phases`."""

    def __init__(self, count: int, seed: int, phases: int = 1) -> None:
        self.count, self._seed, self._phases = count, seed, phases
        self._epoch = -1
        self._phase = 0
        self._order: Order = np.empty(0, dtype=np.int64)  # of the numbers; or the keys by which it is computed

    def draw(self, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers (count,) from draw number `first` on, and the phases of their epochs (count,)."""
        epochs, places = np.divmod(first + np.arange(count), self.count)
        numbers, phases = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
        for epoch in np.unique(epochs):
            numbers[epochs == epoch] = self._numbers(int(epoch), places[epochs == epoch])
            phases[epochs == epoch] = self._phase
        return numbers, phases

    def _numbers(self, epoch: int, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers (P,) that are drawn at `places` (P,) of an epoch, whose phase is the current one then."""
        listed = self.count <= MOST_LISTED
        if epoch != self._epoch:
            random = np.random.default_rng((self._seed, epoch))
            self._phase = int(random.integers(self._phases))
            if listed:
                self._order = random.permutation(self.count)
            else:
                self._order = random.integers(1 << 63, size=ROUNDS, dtype=np.uint64)
            self._epoch = epoch
        order = self._order[places] if listed else shuffled(places, self.count, self._order)
        return order.astype(np.int64)


class Windows:
    """The windows of one split; `batch(step)` gives inputs and targets."""

    def __init__(self, ids: Ids, block_size: int, batch_size: int, seed: int, replies: Replies | None = None) -> None:
        """`ids` (N,) with N > block_size; `replies` says which targets are IGNORED, None: no one."""
        assert len(ids) > block_size, "a window needs one token more than its length"
        self._ids, self._block_size, self._batch_size = ids, block_size, batch_size
        self._replies = replies
        # One window fewer than fit, so that every phase leaves room for the whole epoch.
        self.windows_per_epoch = max(1, len(ids) // block_size - 1)
        phases = min(block_size, len(ids) - self.windows_per_epoch * block_size)
        self._shuffle = Shuffle(self.windows_per_epoch, seed, phases)

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets of `step` (from 0), each (B, T); the targets are one token later."""
        return self.rows(step * self._batch_size, self._batch_size)

    def rows(self, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets of `count` windows from number `first` on, each (count, T)."""
        return targets_of(self._ids, self.starts(first, count), self._block_size, self._replies)

    def starts(self, first: int, count: int) -> NDArray[np.int64]:
        """Return where in the text `count` windows begin, from number `first` on, (count,)."""
        numbers, phases = self._shuffle.draw(first, count)
        return phases + numbers * self._block_size


class ShuffledRows:
    """Rows in a new order each epoch, as many in a batch as it says; `batch(step)` gives inputs and targets."""

    def __init__(self, rows: Rows, batch_size: int, seed: int) -> None:
        self._rows, self._batch_size, self._shuffle = rows, batch_size, Shuffle(len(rows), seed)

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets of `step` (from 0), each (B, T): see Rows."""
        numbers, _ = self._shuffle.draw(step * self._batch_size, self._batch_size)
        return self._rows.batch(numbers)


class MixedWindows:
    """The windows of two texts: in the long run a share of every batch is from the second one."""

    def __init__(self, new: Windows, old: Windows, batch_size: int, share: float) -> None:
        """`share` (0 to 1) of all windows are from `old`."""
        self._new, self._old, self._batch_size, self._share = new, old, batch_size, share

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        before, after = (int(number * self._batch_size * self._share) for number in (step, step + 1))
        count = self._batch_size - (after - before)
        parts = self._new.rows(step * self._batch_size - before, count), self._old.rows(before, after - before)
        inputs, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
        return inputs, targets


def shuffled(places: NDArray[np.int64], count: int, keys: Order) -> NDArray[np.int64]:
    """Return the numbers (P,) at `places` (P,) of range(count) in the order that `keys` (ROUNDS,) determine.

    A Feistel network permutes the numbers below the next power of four; those that are too large go through it again.
    Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains".
    """
    bits = np.uint64((max(1, (count - 1).bit_length()) + 1) // 2)
    mask = (np.uint64(1) << bits) - np.uint64(1)

    def permuted(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = numbers >> bits, numbers & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right + key) & mask)
        return left << bits | right

    found = permuted(places.astype(np.uint64))
    while (too_large := found >= count).any():
        found[too_large] = permuted(found[too_large])
    return found.astype(np.int64)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each number. Source: Steele, Lea and Flood 2014 (SplitMix)."""
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return numbers ^ numbers >> np.uint64(31)
