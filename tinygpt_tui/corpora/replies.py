"""Which tokens of a dialogue are learned: those of replies, and the end of each; the others are only read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.corpora.rows import IGNORED
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer
from tinygpt_tui.tokenizers.ids import Ids

AT_ONCE = 1 << 20  # tokens
LOOK_BACK = 1 << 10  # tokens before a window that are searched at once for the role that is speaking


@dataclass(frozen=True)
class Replies:
    """The ids below `marks` are roles and ends of turns; those of `roles` begin a reply.

    It is found out from the ids alone: they are stored as those of any other text, and read from any place on.
    """

    marks: int
    roles: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Replies | None:
        """Return what a model with that tokenizer learns; None: every token."""
        if not isinstance(tokenizer, DialogueTokenizer):
            return None
        first = len(tokenizer.marks) - len(tokenizer.roles)
        return cls(len(tokenizer.marks), tuple(first + tokenizer.roles.index(role) for role in tokenizer.replies))

    def follow(self, ids: Ids, starts: NDArray[np.int64], read: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the token behind each of `read` (B, T), inputs from `starts` (B,) of `ids` on, is of a reply.

        It is if the last mark before it begins one.
        """
        places = np.where(read < self.marks, np.arange(read.shape[1]), -1)
        last = np.maximum.accumulate(places, axis=1)
        begins = np.isin(read, self.roles)
        inside = np.take_along_axis(begins, np.maximum(last, 0), axis=1)
        unknown = last[:, 0] < 0
        before = np.array([unknown[row] and self._in_reply(ids, int(start)) for row, start in enumerate(starts)])
        found: NDArray[np.bool_] = np.where(last < 0, before[:, None], inside)
        return found

    def _in_reply(self, ids: Ids, place: int) -> bool:
        """Return whether the token at `place` is inside of a reply, by the last mark before it."""
        while place > 0:
            start = max(0, place - LOOK_BACK)
            found = np.flatnonzero(ids[start:place] < self.marks)
            if len(found):
                return int(ids[start + found[-1]]) in self.roles
            place = start
        return False


def targets_of(
    ids: Ids, starts: NDArray[np.int64], length: int, replies: Replies | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return inputs and targets, each (B, length), of the windows that begin at `starts` (B,) of `ids`."""
    rows = ids[starts[:, None] + np.arange(length + 1)].astype(np.int64, copy=False)
    inputs, targets = rows[:, :-1], rows[:, 1:]
    return inputs, targets if replies is None else np.where(replies.follow(ids, starts, inputs), targets, IGNORED)


def learned_in(ids: Ids, replies: Replies) -> Iterator[NDArray[np.int64]]:
    """Yield the targets that are learned in a split of `ids` (N,), some at a time."""
    for start in range(0, len(ids) - 1, AT_ONCE):
        _, targets = targets_of(ids, np.array([start]), min(AT_ONCE, len(ids) - 1 - start), replies)
        yield targets[targets != IGNORED]


def characters_per_reply_token(ids: Ids, replies: Replies, tokenizer: Tokenizer) -> float:
    """Return how many characters a learned token of `ids` (N,) writes on average; 0 if there is none."""
    begins = [sum(byte & 0xC0 != 0x80 for byte in tokenizer.bytes_of(id)) for id in range(tokenizer.size)]
    lengths, characters, tokens = np.array(begins), 0, 0
    for targets in learned_in(ids, replies):
        characters, tokens = characters + int(lengths[targets].sum()), tokens + len(targets)
    return characters / tokens if tokens else 0.0
