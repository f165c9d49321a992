"""What a model keeps between tokens: passed in, never hung on the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(kw_only=True)
class Memory(ABC):
    """The part of the past that a model needs to continue: a row for each text, of which `lengths` tokens were seen.

    A call is about the first rows, as many as it has ids for. Texts of different lengths, which `put` may have brought
    together, are read on by one token at a time.
    """

    lengths: list[int]

    @property
    def length(self) -> int:
        """How many tokens have been seen, of the longest text."""
        return max(self.lengths)

    def seen(self, ids: Tensor) -> int | Ragged:
        """Return how many tokens come before `ids` (B, T): one number where the first B texts are equally long."""
        lengths = self.lengths[: len(ids)]
        if lengths.count(lengths[0]) == len(lengths):
            return lengths[0]
        assert ids.shape[1] == 1, "texts of different lengths are read on by one token at a time"
        return Ragged(lengths, ids.device)

    def count(self, ids: Tensor) -> None:
        """`ids` (B, T) have been read."""
        B, T = ids.shape
        self.lengths[:B] = [length + T for length in self.lengths[:B]]

    def put(self, row: int, other: Any, other_row: int) -> None:
        """Let the text in `row` be the one in `other_row` of `other`, a memory of the same model."""
        self.lengths[row] = other.lengths[other_row]
        self._put(row, other, other_row)

    @abstractmethod
    def _put(self, row: int, other: Any, other_row: int) -> None:
        """Copy all but the length."""


class Ragged:
    """How many tokens of each text come before the next one, if they differ: `places` (B,)."""

    def __init__(self, lengths: list[int], device: torch.device) -> None:
        self.longest = max(lengths)
        self.places = torch.tensor(lengths, device=device)
        self.rows = torch.arange(len(lengths), device=device)
        self._slots: dict[tuple[int, int], Tensor] = {}
        self._visible: dict[tuple[int, int | None], Tensor] = {}

    def slots(self, room: int, back: int = 0) -> Tensor:
        """Return where the token `back` places before the new one is in a ring of `room`, for each text (B,)."""
        if (room, back) not in self._slots:
            self._slots[room, back] = (self.places - back) % room
        return self._slots[room, back]

    def visible(self, room: int, window: int | None = None) -> Tensor:
        """Return which columns of a ring of `room` the new token of each text sees, (B, 1, 1, n).

        All that are filled, or where no ring is full the last `window` of them.
        """
        if (room, window) not in self._visible:
            columns = torch.arange(min(self.longest + 1, room), device=self.places.device)
            seen = columns <= self.places[:, None]
            if window is not None:
                seen &= columns > self.places[:, None] - window
            self._visible[room, window] = seen[:, None, None]
        return self._visible[room, window]
