"""Integer frequencies: a model's of its next token, and adaptive ones of what it does not know.

No library computes an exponential here: each has its own last digit, and both sides must agree in all of them. Logits
are rounded to steps of 1/256 nat below the highest, and a table of integers has the exponential of each step. Rounding
costs 6e-7 nats a token.
"""

from __future__ import annotations

import decimal
import functools

import numpy as np
from numpy.typing import NDArray

STEPS = 256  # of a nat
HIGHEST = 1 << 30  # the frequency of the most likely token; each has at least 1
_BELOW = 21 * STEPS  # steps; exp(-21) * HIGHEST is less than 1


@functools.cache
def _table() -> NDArray[np.int64]:
    """Return the frequency of each step below the highest logit; decimal rounds the same way everywhere."""
    context = decimal.Context(prec=30)
    exponentials = (context.exp(decimal.Decimal(-step) / STEPS) for step in range(_BELOW + 1))
    return np.array([max(1, int(context.multiply(one, HIGHEST))) for one in exponentials], dtype=np.int64)


def cumulative(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the sums of the frequencies (V,) up to and with each token, from logits (V,).

    Every operation on floats is one that IEEE 754 defines to the last bit. A logit that is no number counts as the
    least likely.
    """
    with np.errstate(invalid="ignore"):
        below = np.rint((logits.max() - logits) * np.float32(STEPS))
    sums: NDArray[np.int64] = np.cumsum(_table()[np.fmin(below, _BELOW).astype(np.int64)])
    return sums


class Counts:
    """Adaptive frequencies of a few symbols: each starts with one, and gains with each time that it is seen."""

    MOST = 1 << 16

    def __init__(self, symbols: int, gain: int) -> None:
        self._counts, self._gain = [1] * symbols, gain
        self.total = symbols

    def span(self, symbol: int) -> tuple[int, int]:
        """Return where the frequencies of `symbol` start, and how many they are."""
        return sum(self._counts[:symbol]), self._counts[symbol]

    def symbol_at(self, target: int) -> int:
        """Return the symbol that has the frequency `target`, which is below the total."""
        for symbol, count in enumerate(self._counts):
            if target < count:
                return symbol
            target -= count
        raise AssertionError("the target is not below the total")

    def add(self, symbol: int) -> None:
        """Count one more; the old ones fade."""
        self._counts[symbol] += self._gain
        self.total += self._gain
        if self.total > self.MOST:
            self._counts = [(count + 1) // 2 for count in self._counts]
            self.total = sum(self._counts)
