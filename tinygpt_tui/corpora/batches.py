"""Which windows of the corpus make up which step; it depends on seed and step alone.

Windows are drawn without replacement: in each epoch every window once, in a new order, cut at a new phase. Because a
step's batch depends on its number alone, resuming after a kill needs no saved data order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.tokenizers.char import Ids


class Windows:
    """The windows of one split; `batch(step)` gives inputs and targets."""

    def __init__(self, ids: Ids, block_size: int, batch_size: int, seed: int) -> None:
        """`ids` (N,) with N > block_size."""
        assert len(ids) > block_size, "a window needs one token more than its length"
        self._ids, self._block_size, self._batch_size, self._seed = ids, block_size, batch_size, seed
        # One window fewer than fit, so that every phase leaves room for the whole epoch.
        self.windows_per_epoch = max(1, len(ids) // block_size - 1)
        self._phases = min(block_size, len(ids) - self.windows_per_epoch * block_size)
        self._epoch = -1
        self._starts: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets of `step` (from 0), each (B, T); the targets are one token later."""
        return self.rows(step * self._batch_size, self._batch_size)

    def rows(self, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets of `count` windows from number `first` on, each (count, T)."""
        starts = np.array([self._start(first + i) for i in range(count)], dtype=np.int64)
        places = starts[:, None] + np.arange(self._block_size + 1)
        rows = self._ids[places].astype(np.int64, copy=False)
        return rows[:, :-1], rows[:, 1:]

    def _start(self, number: int) -> int:
        epoch, place = divmod(number, self.windows_per_epoch)
        if epoch != self._epoch:
            random = np.random.default_rng((self._seed, epoch))
            phase = int(random.integers(self._phases))
            self._starts = phase + random.permutation(self.windows_per_epoch) * self._block_size
            self._epoch = epoch
        return int(self._starts[place])


class MixedWindows:
    """The windows of two texts: in the long run a share of every batch is from the second one."""

    def __init__(self, new: Windows, old: Windows, batch_size: int, share: float) -> None:
        """`share` (0 to 1) of all windows are from `old`."""
        self._new, self._old, self._batch_size, self._share = new, old, batch_size, share

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See Windows."""
        before, after = (int(number * self._batch_size * self._share) for number in (step, step + 1))
        count = self._batch_size - (after - before)
        parts = self._new.rows(step * self._batch_size - before, count), self._old.rows(before, after - before)
        inputs, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
        return inputs, targets
