"""Where an n-gram table keeps its pairs, for another size of the vocabulary; no torch here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PAIRS = "ngrams.pairs.weight"


def rearranged(table: NDArray[Any], rows: int, old: int, new: int) -> NDArray[np.float32]:
    """Lay the table of pairs (R, C) out for `new` tokens, not `old`; pairs that now share a row are averaged in it."""
    ids = np.arange(old + 1)  # nothing is 0, as in extras.py
    second, first = ids[:, None], ids[None, :]
    before = ((second * (old + 1) + first) % len(table)).ravel()
    after = ((second * (new + 1) + first) % rows).ravel()
    laid: NDArray[np.float32] = np.zeros((rows, table.shape[1]), np.float32)
    np.add.at(laid, after, table[before])
    count = np.bincount(after, minlength=rows).clip(min=1)
    laid /= count[:, None]
    return laid
