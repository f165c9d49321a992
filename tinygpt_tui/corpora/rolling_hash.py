"""Hashes of every window of a long sequence at once, by which equal passages are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse


class RollingHash:
    """The polynomial hash modulo 2**64 of windows of `length` numbers; numbers that are random make collisions rare."""

    def __init__(self, length: int, most: int) -> None:
        """For sequences of at most `most` numbers."""
        self.length = length
        self._powers = np.cumprod(np.full(most, _BASE, dtype=np.uint64))
        self._undone = np.cumprod(np.full(most, pow(_BASE, -1, 1 << 64), dtype=np.uint64))

    def windows(self, numbers: Hashes) -> Hashes:
        """Return the hashes (N - length + 1,) of all windows of `numbers` (N,); none if it is shorter than one."""
        sums = np.append(np.uint64(0), np.cumsum(numbers * self._powers[: len(numbers)], dtype=np.uint64))
        found = sums[self.length :] - sums[: -self.length]
        found[1:] *= self._undone[: max(0, len(found) - 1)]  # each as if it were at the start
        return found

    def whole(self, windows: Hashes) -> Hashes:
        """Return the hashes (P,) of single windows (P, length)."""
        found: Hashes = (windows * self._powers[: self.length]).sum(axis=-1, dtype=np.uint64)
        return found


def numbers_of(text: str) -> Hashes:
    """Return a number for each character (N,), the same for equal ones, that looks random."""
    points: NDArray[np.uint32] = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    mixed = (points + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(32)
    return mixed
