"""What every batch of torch's has in common: who sits in which row, whose window is full, what is read together.

A text that goes on by steps has a row of the memory; those in use are always the first ones, so that one pass over them
meets no gaps. Who leaves gives the row to the last one. A text whose window is full has no use for a memory: its window
is read again as a new text, and where that leaves room it sits down again.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.windows import Policy, kept_after, policy_for

Prefill = TypeVar("Prefill")  # what reading a text leaves behind
Logits = NDArray[np.float32]
POSITIONS_AT_ONCE = 512  # read together on a processor: more of them compute no faster and leave the caches


@dataclass(eq=False)
class Text:
    """One text: the `ids` that may be looked at again, how many were `seen` since it was read, and its row."""

    ids: list[int]
    seen: int
    row: int | None = None


class SlotBatchEngine(ABC, Generic[Prefill]):
    """A JoiningEngine; how a net reads and steps is for those who know one."""

    positions_at_once = POSITIONS_AT_ONCE

    def __init__(self, settings: ArchitectureSettings, receptive_field: int | None, texts: int, policy: Policy) -> None:
        """At most `texts` (at least one) texts; `receptive_field` as LanguageModel's.

        Raises UsageError, for `rolling` too where the model's memory cannot go on for ever.
        """
        if texts < 1:
            raise UsageError(f"{texts} texts cannot be written", "ask for at least one")
        self._room, self._vocab_size, self._context_length = texts, settings.vocab_size, settings.context_length
        self._policy, self._size = policy_for(policy, settings), settings.block_size
        self._slides = self._policy == "rolling"
        self._keeps = receptive_field if self._slides else self._size  # of a text's beginning; None: all
        self._texts: list[Text] = []
        self._active: list[Text] = []  # by row

    @abstractmethod
    def _read_alike(self, texts: Sequence[Sequence[int]], goes_on: bool) -> tuple[Logits, Sequence[Prefill]]:
        """Read texts of one length: logits (R, V), and what each leaves behind where it `goes_on` by steps."""

    @abstractmethod
    def _make_room(self, rows: int) -> None:
        """Let the memory have at least so many rows."""

    @abstractmethod
    def _assign(self, left: Prefill, row: int, seen: int) -> None:
        """Put what a text of `seen` ids left behind into `row`, the first that is free."""

    @abstractmethod
    def _evict(self, row: int, last: int) -> None:
        """Let the text in the `last` row go on in `row`, whose own is gone; the last row is free."""

    @abstractmethod
    def _step(self, ids: list[int]) -> Logits:
        """Return logits (R, V) after one more id in each row that is in use."""

    @property
    def window(self) -> Policy:
        """What happens when a text's window is full."""
        return self._policy

    @property
    def contexts_used(self) -> list[int]:
        """What Engine.context_used says, for each text."""
        return [min(text.seen, self._context_length) if self._context_length else text.seen for text in self._texts]

    def prefill(self, texts: Sequence[Sequence[int]]) -> Logits:
        """Begin new texts; see BatchEngine. The same ones are read once.

        Raises UsageError for an id that the model does not know, for an empty text, and for too many texts.
        """
        if not 0 < len(texts) <= self._room:
            raise UsageError(f"{len(texts)} texts: this engine was opened for 1 to {self._room}")
        begun = [self._begun(ids) for ids in texts]
        self.keep([])
        return self._joined(begun)

    def join(self, texts: Sequence[Sequence[int]]) -> Logits:
        """Begin `texts` behind the others; see JoiningEngine. The same ones are read once.

        Raises what `prefill` raises; then the others go on as before.
        """
        room = self._room - len(self._texts)
        if len(texts) > room:
            raise UsageError(f"{len(texts)} more texts: this engine has room for {room}")
        return self._joined([self._begun(ids) for ids in texts])

    def step(self, ids: Sequence[int]) -> Logits:
        """Add one id to each text; see BatchEngine.

        Raises UsageError for an id that the model does not know, and where there is not one for each text.
        """
        if len(ids) != len(self._texts) or not self._texts:
            raise UsageError(f"{len(ids)} ids for {len(self._texts)} texts", "texts begin with `prefill`")
        for text, number in zip(self._texts, self._checked(ids), strict=True):
            text.ids.append(number)
        logits = np.empty((len(ids), self._vocab_size), dtype=np.float32)
        place_of = {text: place for place, text in enumerate(self._texts)}
        full = [text for text in self._texts if text.row is None]
        if self._active:
            logits[[place_of[text] for text in self._active]] = self._step([text.ids[-1] for text in self._active])
            for text in self._active:
                text.seen += 1
                if len(text.ids) > 2 * self._size + 2:  # only an endless text comes to that
                    del text.ids[: self._size]
            self._release([text for text in self._active if not self._goes_on(text.seen)])
        if full:
            for text in full:
                text.ids = text.ids[-kept_after(self._policy, self._size) - 1 :]
                text.seen = len(text.ids)
            logits[[place_of[text] for text in full]] = self._read(full)
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these texts alone, by their places now, in this order; see BatchEngine."""
        staying = [self._texts[row] for row in rows]
        assert len(set(rows)) == len(rows), "a text cannot go on twice"
        self._release([text for place, text in enumerate(self._texts) if place not in set(rows)])
        self._texts = staying

    def _begun(self, ids: Sequence[int]) -> Text:
        if not len(ids):
            raise UsageError("a text begins with at least one token")
        numbers = self._checked(ids if self._keeps is None else ids[-self._keeps :])
        return Text(numbers, len(numbers))

    def _checked(self, ids: Iterable[int]) -> list[int]:
        numbers = [operator.index(id) for id in ids]
        for number in numbers:
            if not 0 <= number < self._vocab_size:
                raise UsageError(f"token {number} is not one of the model's {self._vocab_size}")
        return numbers

    def _joined(self, texts: list[Text]) -> Logits:
        logits = self._read(texts)
        self._texts += texts
        return logits

    def _goes_on(self, seen: int) -> bool:
        """Whether one more token has room in the window."""
        return self._slides or seen < self._size

    def _read(self, texts: Sequence[Text]) -> Logits:
        """Read texts from the start; return logits (R, V). Those that go on sit down when all have been read."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for place, text in enumerate(texts):
            alike.setdefault(tuple(text.ids), []).append(place)
        by_length: dict[int, list[tuple[int, ...]]] = {}
        for ids in alike:
            by_length.setdefault(len(ids), []).append(ids)
        logits = np.empty((len(texts), self._vocab_size), dtype=np.float32)
        left: dict[tuple[int, ...], Prefill] = {}
        for length, different in by_length.items():
            at_once = max(1, self.positions_at_once // length)
            for first in range(0, len(different), at_once):
                some = different[first : first + at_once]
                found, behind = self._read_alike(some, self._goes_on(length))
                for ids, row in zip(some, found, strict=True):
                    logits[alike[ids]] = row
                left |= zip(some, behind, strict=False)
        going_on = [text for text in texts if self._goes_on(text.seen)]
        self._make_room(len(self._active) + len(going_on))
        for text in going_on:
            text.row = len(self._active)
            self._assign(left[tuple(text.ids)], text.row, text.seen)
            self._active.append(text)
        return logits

    def _release(self, texts: Iterable[Text]) -> None:
        """Let these give up their rows, if they have one."""
        for text in sorted((text for text in texts if text.row is not None), key=_row, reverse=True):
            row, last = _row(text), len(self._active) - 1
            self._evict(row, last)
            self._active[row] = self._active[last]
            self._active[row].row = row
            self._active.pop()
            text.row = None


def _row(text: Text) -> int:
    assert text.row is not None
    return text.row
