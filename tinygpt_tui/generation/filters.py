"""What narrows the choice of the next token, one pure function each.

The order, written once: temperature, then top-k, then top-p. Each takes and returns logits (V,) in float64; a token
that is out of the running has -inf.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float64]


def temperature(logits: Logits, degrees: float) -> Logits:
    """Sharpen (below 1) or flatten (above 1) the distribution; `degrees` > 0.

    >>> temperature(np.array([0.0, 1.0]), 0.5).tolist()
    [0.0, 2.0]
    """
    return logits / degrees


def top_k(logits: Logits, k: int) -> Logits:
    """Keep exactly the `k` likeliest, ties by the lower id; 0 or a k beyond the vocabulary keeps all.

    >>> top_k(np.array([1.0, 3.0, 3.0, 2.0]), 2).tolist()
    [-inf, 3.0, 3.0, -inf]
    """
    if k <= 0 or k >= len(logits):
        return logits
    kept = np.argsort(-logits, kind="stable")[:k]
    narrowed = np.full_like(logits, -np.inf)
    narrowed[kept] = logits[kept]
    return narrowed


def top_p(logits: Logits, p: float) -> Logits:
    """Keep the fewest likeliest that together have probability `p` or more, at least one. 0 < p <= 1.

    >>> top_p(np.log(np.array([0.5, 0.3, 0.2])), 0.6).round(3).tolist()
    [-0.693, -1.204, -inf]
    """
    if p >= 1:
        return logits
    order = np.argsort(-logits, kind="stable")
    weights = np.exp(logits[order] - logits[order[0]])
    before = np.cumsum(weights) - weights  # mass of all likelier ones
    out = order[before >= p * weights.sum()]
    narrowed = logits.copy()
    narrowed[out[out != order[0]]] = -np.inf
    return narrowed
