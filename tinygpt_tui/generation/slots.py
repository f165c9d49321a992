"""Several texts in one pass of torch, through any model's own memory: texts join and leave between tokens.

A text that continues token by token has a slot, a row of the memory. The slots in use are always the first ones, so
that one pass covers them without gaps: when a text leaves, the text in the last slot moves into the free one. A text
whose window is full has no use for a memory: its window is read again as a new text, which gets a slot if that leaves
room.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.windows import Policy, policy_for, retained_after

Logits = NDArray[np.float32]
POSITIONS_AT_ONCE = 512  # read together on a CPU: more of them compute no faster and leave the caches
POSITIONS_ON_A_GPU = 1 << 15


@dataclass(eq=False)
class _Text:
    """`ids` are those that may be read again, `seen` counts the tokens behind its last logits."""

    ids: list[int]
    seen: int
    slot: int | None = None


@dataclass(frozen=True)
class Prefill:
    """What reading a text leaves: row `row` of `memory`."""

    memory: Memory
    row: int


class SlotBatchEngine:
    """A BatchEngine for any architecture on any device."""

    def __init__(self, model: LanguageModel, texts: int, policy: Policy = "exact") -> None:
        """At most `texts` (at least one) texts.

        Raises UsageError, also for `rolling` if the model's memory does not support sliding.
        """
        if texts < 1:
            raise UsageError(f"{texts} texts cannot be written", "ask for at least one")
        settings = model.settings
        self._capacity, self._model = texts, model.eval()
        self._policy, self._block_size = policy_for(policy, settings), settings.block_size
        self._slides = self._policy == "rolling"
        self._read_length = model.receptive_field if self._slides else self._block_size  # None: the whole prompt
        self._texts: list[_Text] = []
        self._active: list[_Text] = []  # by slot
        self._memory, self._rows = model.new_memory(0), 0
        self._positions_at_once = POSITIONS_AT_ONCE if model.device.type == "cpu" else POSITIONS_ON_A_GPU

    @property
    def window(self) -> Policy:
        return self._policy

    @property
    def contexts_used(self) -> list[int]:
        longest = self._model.settings.context_length
        return [min(text.seen, longest) if longest else text.seen for text in self._texts]

    @torch.inference_mode()
    def join(self, texts: Sequence[Sequence[int]]) -> Logits:
        """Start `texts` behind the others; see BatchEngine. Equal texts are read once.

        Raises UsageError for an unknown id, an empty text and too many texts; the other texts are not affected.
        """
        free = self._capacity - len(self._texts)
        if len(texts) > free:
            raise UsageError(f"{len(texts)} more texts: this engine has room for {free}")
        started = [self._start(ids) for ids in texts]
        logits = self._read(started)
        self._texts += started
        return logits

    @torch.inference_mode()
    def step(self, ids: Sequence[int]) -> Logits:
        """Add one id to each text; see BatchEngine.

        Raises UsageError for an unknown id, and if there is not exactly one for each text.
        """
        if len(ids) != len(self._texts) or not self._texts:
            raise UsageError(f"{len(ids)} ids for {len(self._texts)} texts", "start texts with `join`")
        for text, id in zip(self._texts, self._checked(ids), strict=True):
            text.ids.append(id)
        logits = np.empty((len(ids), self._model.vocab_size), dtype=np.float32)
        place_of = {text: place for place, text in enumerate(self._texts)}
        full = [text for text in self._texts if text.slot is None]
        if self._active:
            last = [[text.ids[-1]] for text in self._active]
            logits[[place_of[text] for text in self._active]] = self._logits(last, self._memory)
            for text in self._active:
                text.seen += 1
                if len(text.ids) > 2 * self._block_size + 2:  # only a sliding text gets that long
                    del text.ids[: self._block_size]
            self._release([text for text in self._active if not self._has_room(text.seen)])
        if full:
            for text in full:
                text.ids = text.ids[-retained_after(self._policy, self._block_size) - 1 :]
                text.seen = len(text.ids)
            logits[[place_of[text] for text in full]] = self._read(full)
        return logits

    @torch.inference_mode()
    def keep_rows(self, rows: Sequence[int]) -> None:
        """Continue with the texts at these places only, in this order; see BatchEngine."""
        assert len(set(rows)) == len(rows), "a text cannot be kept twice"
        staying = [self._texts[row] for row in rows]
        self._release([text for place, text in enumerate(self._texts) if place not in set(rows)])
        self._texts = staying

    def _start(self, ids: Sequence[int]) -> _Text:
        if not len(ids):
            raise UsageError("a text begins with at least one token")
        read = self._checked(ids if self._read_length is None else ids[-self._read_length :])
        return _Text(read, len(read))

    def _checked(self, ids: Iterable[int]) -> list[int]:
        size, numbers = self._model.vocab_size, [operator.index(id) for id in ids]
        for number in numbers:
            if not 0 <= number < size:
                raise UsageError(f"token {number} is not one of the model's {size}")
        return numbers

    def _has_room(self, seen: int) -> bool:
        """Whether one more token fits into the window."""
        return self._slides or seen < self._block_size

    def _read(self, texts: Sequence[_Text]) -> Logits:
        """Read texts from the start and assign slots to those with room for more; return logits (R, V)."""
        places: dict[tuple[int, ...], list[int]] = {}
        for place, text in enumerate(texts):
            places.setdefault(tuple(text.ids), []).append(place)
        by_length: dict[int, list[tuple[int, ...]]] = {}
        for ids in places:
            by_length.setdefault(len(ids), []).append(ids)
        logits = np.empty((len(texts), self._model.vocab_size), dtype=np.float32)
        prefills: dict[tuple[int, ...], Prefill] = {}
        for length, different in by_length.items():
            at_once = max(1, self._positions_at_once // length)
            for first in range(0, len(different), at_once):
                group = different[first : first + at_once]
                memory = self._model.new_memory(len(group)) if self._has_room(length) else None
                for row, (ids, found) in enumerate(zip(group, self._logits(group, memory), strict=True)):
                    logits[places[ids]] = found
                    if memory is not None:
                        prefills[ids] = Prefill(memory, row)
        continuing = [text for text in texts if self._has_room(text.seen)]
        self._reserve(len(self._active) + len(continuing))
        for text in continuing:
            self._assign(text, prefills[tuple(text.ids)])
        return logits

    def _reserve(self, slots: int) -> None:
        """Make the memory large enough for `slots`."""
        if slots > self._rows:
            larger = self._model.new_memory(max(slots, min(2 * self._rows, self._capacity)))
            for slot in range(len(self._active)):
                larger.put(slot, self._memory, slot)
            self._memory, self._rows = larger, len(larger.lengths)

    def _assign(self, text: _Text, prefill: Prefill) -> None:
        """Give `text` the first free slot."""
        text.slot = len(self._active)
        self._memory.put(text.slot, prefill.memory, prefill.row)
        self._active.append(text)

    def _release(self, texts: Iterable[_Text]) -> None:
        """Free the slots of `texts`; the last ones move into the gaps."""
        leaving = [text for text in texts if text.slot is not None]
        for text in sorted(leaving, key=_slot_of, reverse=True):
            slot, last = _slot_of(text), self._active.pop()
            if last is not text:
                self._memory.put(slot, self._memory, len(self._active))
                self._active[slot], last.slot = last, slot
            text.slot = None

    def _logits(self, texts: Sequence[Sequence[int]], memory: Memory | None) -> Logits:
        """Read `texts` (B, T) behind `memory`; return the logits (B, V) after the last token of each."""
        logits = self._model(torch.tensor(texts, device=self._model.device), memory)[:, -1]
        answer: Logits = logits.float().cpu().numpy()
        return answer


def _slot_of(text: _Text) -> int:
    assert text.slot is not None
    return text.slot
