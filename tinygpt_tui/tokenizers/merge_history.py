"""What the merges of a byte pair tokenizer do to a text, one after another: what each joined, and how often.

A token is made by the same merges wherever it occurs: what happened inside it does not depend on its neighbours, as
none of them was joined to it. So a text is encoded once with all merges, and taken apart token by token.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.tokenizers.bpe import BPETokenizer, bytes_of_letters
from tinygpt_tui.tokenizers.cutting import CutPiece
from tinygpt_tui.tokenizers.ids import Ids

NEVER = 1 << 30  # the merge at which a boundary vanishes that stays

Counts = NDArray[np.int64]


class Step(NamedTuple):
    """One join on the way to a token: it is there from `merge` + 1 merges on, and removes the boundary at `gap` bytes.

    `rank` is the merge that joined; it is below `merge` where an earlier merge first made it possible.
    """

    merge: int
    rank: int
    gap: int


class MergeHistory:
    """The merges of a tokenizer in their order, and how each of its tokens is made."""

    def __init__(self, tokenizer: BPETokenizer) -> None:
        self.tokenizer = tokenizer
        self.merges = tokenizer.merges
        self.ids = tokenizer.vocabulary
        self._ranks = {pair: rank for rank, pair in reversed([*enumerate(self.merges)])}
        self._letters = {id: letters for letters, id in self.ids.items()}
        self._steps: dict[int, tuple[Step, ...]] = {}

    def joined(self, merge: int) -> tuple[bytes, bytes]:
        """Return what a merge joins."""
        left, right = self.merges[merge]
        return bytes_of_letters(left), bytes_of_letters(right)

    def steps(self, id: int) -> tuple[Step, ...]:
        """Return how a token is made from its bytes, in order."""
        known = self._steps.get(id)
        if known is None:
            known = self._steps[id] = tuple(self._made(self._letters[id]))
        return known

    def _made(self, letters: str) -> Iterable[Step]:
        if letters in self.tokenizer.special:
            return
        parts, merge = list(letters), -1
        while len(parts) > 1:
            pairs = pairwise(parts)
            rank, place = min((self._ranks.get(pair, NEVER), place) for place, pair in enumerate(pairs))
            if rank == NEVER:
                return
            merge = max(merge, rank)
            yield Step(merge, rank, len("".join(parts[: place + 1])))
            parts[place : place + 2] = [parts[place] + parts[place + 1]]

    def of_text(self, text: str) -> CutHistory:
        """Return how `text` is cut after each number of merges."""
        ids = self.tokenizer.encode(text)
        ends: list[int] = []  # the merge at which the boundary after each byte vanishes
        for id in ids:
            start = len(ends)
            ends += [NEVER] * len(self.tokenizer.bytes_of(id))
            for step in self.steps(id):
                ends[start + step.gap - 1] = step.merge
        return CutHistory(b"".join(map(self.tokenizer.bytes_of, ids)).decode("utf-8", "replace"), ends)

    def counts(self, ids: Iterable[Ids]) -> MergeCounts:
        """Return how often the merges joined in a text with these ids."""
        final = np.zeros(self.tokenizer.size, np.int64)
        for some in ids:
            final += np.bincount(some, minlength=self.tokenizer.size)
        return MergeCounts(self, final)


class CutHistory:
    """A text, and after how many merges each boundary in it is gone."""

    def __init__(self, text: str, ends: list[int]) -> None:
        """`ends` has a merge for each byte: that at which the boundary after it vanishes."""
        self.text = text
        self._inside: list[tuple[int, ...]] = []  # a character's bytes
        self._behind: list[int] = []  # it
        at = 0
        for character in text:
            end = at + len(character.encode("utf-8"))
            self._inside.append(tuple(ends[at : end - 1]))
            self._behind.append(ends[end - 1])
            at = end

    def pieces(self, merges: int) -> list[CutPiece]:
        """Return the text as the first `merges` merges cut it."""
        pieces, start, tokens, is_new = [], 0, 1, False
        for place, (inside, behind) in enumerate(zip(self._inside, self._behind, strict=True)):
            if inside:
                tokens += sum(merge >= merges for merge in inside)
                is_new = is_new or merges - 1 in inside
            if behind >= merges:
                pieces.append(CutPiece(self.text[start : place + 1], tokens, is_new))
                start, tokens, is_new = place + 1, 1, False
            elif behind == merges - 1:
                is_new = True
        return pieces

    def changes(self) -> list[int]:
        """Return the numbers of merges at which something in the text changes, in order."""
        merges = {merge + 1 for merge in (*self._behind, *(one for inside in self._inside for one in inside))}
        return sorted(merges - {NEVER + 1})


class MergeCounts:
    """How often each merge joined in a text, and with them the counts of all tokens after each number of merges."""

    def __init__(self, history: MergeHistory, final: Counts) -> None:
        """`final` has the count of each token after all merges."""
        rows = [(*step, int(count)) for id, count in enumerate(final) if count for step in history.steps(id)]
        table = np.array(rows, np.int64).reshape(-1, 4)
        self._merge, self._rank, self._count = table[:, 0], table[:, 1], table[:, 3]
        pairs = [(history.ids[left + right], history.ids[left], history.ids[right]) for left, right in history.merges]
        self._whole, self._left, self._right = np.array(pairs, np.int64).reshape(-1, 3).T
        self._final = final
        self.joined = np.bincount(self._rank, weights=self._count, minlength=len(pairs)).astype(np.int64)

    def tokens(self, merges: int) -> int:
        """Return how many tokens the text has after `merges` merges."""
        return int(self._final.sum() + self._count[self._merge >= merges].sum())

    def of_tokens(self, merges: int) -> Counts:
        """Return how often each token occurs after `merges` merges, by its id."""
        counts = self._final.copy()
        later = self._merge >= merges
        rank, count = self._rank[later], self._count[later]
        np.subtract.at(counts, self._whole[rank], count)
        np.add.at(counts, self._left[rank], count)
        np.add.at(counts, self._right[rank], count)
        return counts
