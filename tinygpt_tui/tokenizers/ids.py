"""Ids of a whole text as arrays, and the characters it is made of; apart from the tokenizers, which need no numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_CODE_POINT = 0x10FFFF
CHARACTERS_AT_ONCE = 1 << 20  # a large text in UTF-32 would take four times its size, and eight times as int64

Ids = NDArray[np.integer[Any]]  # one, two or four bytes each, as few as the vocabulary permits


def id_type(size: int) -> np.dtype[Any]:
    """Return the smallest type of number that holds the ids of a vocabulary."""
    return np.dtype(np.min_scalar_type(max(0, size - 1)))


class CharacterCounts:
    """Counts the characters of a text that comes in pieces."""

    def __init__(self) -> None:
        self._totals = np.zeros(0, dtype=np.int64)

    def add(self, piece: str) -> None:
        for codes in code_points((piece,)):
            counts = np.bincount(codes)
            if len(counts) > len(self._totals):
                self._totals, counts = counts, self._totals
            self._totals[: len(counts)] += counts

    def by_character(self) -> dict[str, int]:
        """Return how often each character occurs, sorted by character."""
        return {chr(code): int(self._totals[code]) for code in np.flatnonzero(self._totals)}


def counts_of(text: str) -> dict[str, int]:
    """Return how often each character of `text` occurs, sorted by character."""
    counts = CharacterCounts()
    counts.add(text)
    return counts.by_character()


def code_points(pieces: Iterable[str]) -> Iterator[NDArray[np.unsignedinteger[Any]]]:
    """Yield the code points of the pieces, some at a time."""
    for piece in pieces:
        for start in range(0, len(piece), CHARACTERS_AT_ONCE):
            part = piece[start : start + CHARACTERS_AT_ONCE]
            if part.isascii():
                yield np.frombuffer(part.encode("ascii"), dtype=np.uint8)
            else:
                yield np.frombuffer(part.encode("utf-32-le"), dtype=np.uint32)
