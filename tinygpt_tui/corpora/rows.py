"""The windows of a split as rows of a batch: pieces of the text side by side, or documents, each from its beginning."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.documents import SEPARATOR
from tinygpt_tui.tokenizers.ids import Ids

if TYPE_CHECKING:
    from tinygpt_tui.corpora.replies import Replies

IGNORED = -100  # a target that no loss counts: torch's own number for it
BOUNDARY_ID = 0  # of a DocumentTokenizer

Places = NDArray[np.int64]


class Rows:
    """Rows of `ids` (N,): the targets of row r are `lengths[r]` tokens from `starts[r]` on, the inputs those before.

    A row that begins with the text, or with a document, reads a boundary first. The first `skipped[r]` targets of a row
    are not counted.
    """

    def __init__(
        self,
        ids: Ids,
        starts: Places,
        lengths: Places,
        whole: int,
        replies: Replies | None = None,
        skipped: Places | None = None,
    ) -> None:
        """`starts`, `lengths` and `skipped` (R,); the first `whole` rows are used where a part of them is read.

        Of conversations the targets outside of `replies` are IGNORED.
        """
        self._ids, self._starts, self._lengths, self._whole = ids, starts, lengths, whole
        self._replies = replies
        self._skipped = np.zeros_like(starts) if skipped is None else skipped
        self._counted = lengths - self._skipped
        self.tokens = int(self._counted.sum())  # in all targets
        self.longest = int(lengths.max())

    @classmethod
    def side_by_side(cls, ids: Ids, length: int, replies: Replies | None = None) -> Rows:
        """Return windows of `length` in which every token but the first is predicted once; the last may be shorter."""
        starts = np.arange(1, len(ids), length)
        return cls(ids, starts, np.minimum(length, len(ids) - starts), (len(ids) - 1) // length, replies)

    @classmethod
    def of_documents(cls, ids: Ids, length: int, replies: Replies | None = None) -> Rows:
        """Return the documents, each with the boundary behind it; one longer than `length` is cut into several rows."""
        ends = np.append(np.flatnonzero(ids[:-1] == BOUNDARY_ID) + 1, len(ids))
        begins = np.insert(ends[:-1], 0, 0)
        pieces = -(-(ends - begins) // length)
        which = np.repeat(np.arange(len(ends)), pieces)
        piece = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = begins[which] + piece * length
        return cls(ids, starts, np.minimum(length, ends[which] - starts), len(which), replies)

    @classmethod
    def of_pairs(cls, ids: Ids, length: int, separator: int) -> Rows:
        """Return the documents, in which only the targets behind the first `separator` are counted; those without one
        are left out. Raises UsageError for one that is longer than `length`.
        """
        ends = np.append(np.flatnonzero(ids[:-1] == BOUNDARY_ID) + 1, len(ids))
        begins = np.insert(ends[:-1], 0, 0)
        marks = np.append(np.flatnonzero(ids == separator), len(ids))
        behind = marks[np.searchsorted(marks, begins)] + 1
        pairs = behind < ends
        begins, ends, behind = begins[pairs], ends[pairs], behind[pairs]
        longest = int((ends - begins).max(initial=0))
        if not longest or longest > length:
            what = f"a pair has {longest} tokens, more than a window" if longest else "the text has no pairs"
            hint = (
                f"choose {longest} or more" if longest else f"each of its documents must be QUESTION{SEPARATOR}ANSWER"
            )
            raise UsageError(what, hint, setting="block_size" if longest else "windows")
        return cls(ids, begins, ends - begins, len(begins), skipped=behind - begins)

    def __len__(self) -> int:
        return len(self._starts)

    def tokens_in(self, numbers: Places) -> int:
        """Return how many targets the rows `numbers` (n,) have."""
        return int(self._counted[numbers].sum())

    def spread(self, wanted: int) -> Places:
        """Return which rows (n,) hold about `wanted` targets, evenly spread over all."""
        each = self._counted[: self._whole].mean() if self._whole else 1.0
        count = min(self._whole, math.ceil(wanted / each))
        return ((np.arange(count) + 0.5) * self._whole / max(1, count)).astype(np.int64)

    def batch(self, numbers: Places) -> tuple[Places, Places]:
        """Return inputs and targets of the rows `numbers` (B,), each (B, T) with T the longest one's length.

        Shorter ones are filled up at their ends; targets that are not counted are IGNORED.
        """
        starts, lengths = self._starts[numbers, None], self._lengths[numbers, None]
        columns = np.arange(lengths.max())
        places, is_inside = starts + columns, columns < lengths
        is_counted = is_inside & (columns >= self._skipped[numbers, None])
        targets = np.where(is_counted, self._ids[np.minimum(places, len(self._ids) - 1)].astype(np.int64), IGNORED)
        inputs = np.where(is_inside & (places > 0), self._ids[np.clip(places, 1, len(self._ids)) - 1], BOUNDARY_ID)
        inputs = inputs.astype(np.int64)
        if self._replies is not None:
            targets = np.where(self._replies.follow(self._ids, starts[:, 0] - 1, inputs), targets, IGNORED)
        return inputs, targets


def rows_of(
    ids: Ids, settings: TrainingSettings, length: int, replies: Replies | None = None, separator: int | None = None
) -> Rows:
    """Return the rows of a split that `settings` ask for, at most `length` long; `replies` as for Rows.

    Pairs need a `separator`. Raises UsageError where there are no pairs, or too long ones.
    """
    if settings.windows == "pairs":
        return Rows.of_pairs(ids, length, -1 if separator is None else separator)
    make = Rows.of_documents if settings.windows == "documents" else Rows.side_by_side
    return make(ids, length, replies)
