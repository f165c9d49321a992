"""A growing table of numbers, for the curves of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Columns:
    """Rows of numbers (N, width) that are appended one by one."""

    def __init__(self, width: int) -> None:
        self._rows: Floats = np.empty((1024, width))
        self.count = 0

    def append(self, *row: float) -> None:
        """Add one row; the buffer doubles when it is full."""
        if self.count == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        self._rows[self.count] = row
        self.count += 1

    def column(self, index: int) -> Floats:
        """One column (N,), without a copy: valid until the next row comes."""
        return self._rows[: self.count, index]

    def cut(self, last: float) -> None:
        """Remove the rows whose first number is above `last`."""
        self.count = int(np.searchsorted(self.column(0), last, "right"))
