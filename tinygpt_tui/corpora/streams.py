"""Windows that follow each other, for models whose memory is carried from each to the next.

The text is cut into as many streams as a batch has rows; at each step every row continues where it stopped. At the end
of the streams a new epoch starts, cut at a new phase, with an empty memory. As with `Windows` the batch depends on seed
and step alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.corpora.replies import Replies, targets_of
from tinygpt_tui.tokenizers.ids import Ids


class Streams:
    """The streams of one split; `batch(step)` gives inputs and targets, `is_start(step)` says where an epoch starts."""

    def __init__(self, ids: Ids, block_size: int, batch_size: int, seed: int, replies: Replies | None = None) -> None:
        """`ids` (N,) with N > block_size; a text too short for that many streams has them overlap; see Windows."""
        assert len(ids) > block_size, "a window needs one token more than its length"
        self._ids, self._block_size, self._seed, self._replies = ids, block_size, seed, replies
        self._last_start = len(ids) - 1 - block_size  # where the last window may start
        self.windows_per_epoch = max(1, (len(ids) - 1) // batch_size // block_size)
        self._phases = max(1, min(block_size, self._last_start + 1))
        # Evenly spread; the last stream still has room for the whole epoch at any phase.
        last = max(0, self._last_start - (self.windows_per_epoch - 1) * block_size - (self._phases - 1))
        self._starts = np.linspace(0, last, batch_size).astype(np.int64)

    def is_start(self, step: int) -> bool:
        """Whether `step` (from 0) starts an epoch."""
        return step % self.windows_per_epoch == 0

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return inputs and targets of `step` (from 0), each (B, T); the targets are one token later."""
        epoch, place = divmod(step, self.windows_per_epoch)
        phase = int(np.random.default_rng((self._seed, epoch)).integers(self._phases))
        starts = np.minimum(self._starts + phase + place * self._block_size, self._last_start)
        return targets_of(self._ids, starts, self._block_size, self._replies)


class MixedStreams:
    """The streams of two texts in one batch: its first rows are from the new one, its last from the old one.

    Wherever one of the texts starts again, both do with an empty memory.
    """

    def __init__(self, new: Streams, old: Streams) -> None:
        self._new, self._old = new, old

    def is_start(self, step: int) -> bool:
        return self._new.is_start(step) or self._old.is_start(step)

    def batch(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        parts = self._new.batch(step), self._old.batch(step)
        inputs, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
        return inputs, targets


def rows_of_old(batch_size: int, share: float) -> int:
    """Return how many rows of a batch, 2 or more, are from the old text: `share` (0 to 1) of them, at least one."""
    return min(batch_size - 1, max(1, round(batch_size * share)))
