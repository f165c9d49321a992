"""The probabilities that a model gave a token, from its raw logits: before temperature and filters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.events.generation import Candidate, TokenProbabilities
from tinygpt_tui.tokenizers.base import Tokenizer


def probabilities_of(
    logits: NDArray[np.float32],
    id: int,
    candidates: int,
    tokenizer: Tokenizer,
    drawn: NDArray[np.float64] | None = None,
) -> TokenProbabilities:
    """Return probability and rank of `id`, the entropy, and the most likely `candidates`, from logits (V,).

    Ties are ranked by id. A candidate that is half a character has U+FFFD as its text. `drawn` (V,) are the
    probabilities by the sampling settings, of which those of the candidates are returned.
    """
    left = logits.astype(np.float64)
    left -= left.max()
    weights = np.exp(left)
    mass = float(weights.sum())
    probabilities = weights / mass
    # ln(1/p) = ln(mass) - left; an impossible token has p = 0, left = -inf, and adds nothing.
    possible = weights > 0
    entropy = float(np.log(mass) - np.dot(probabilities[possible], left[possible]))
    # Ranks are those of the raw logits: the difference of two tiny ones can vanish beside a large one.
    own = logits[id]
    rank = 1 + np.count_nonzero(logits > own) + np.count_nonzero(logits[:id] == own)
    likely = _top_ids(logits, candidates)
    return TokenProbabilities(
        probability=float(probabilities[id]),
        rank=int(rank),
        entropy=max(entropy, 0.0),
        candidates=tuple(
            Candidate(other, tokenizer.bytes_of(other).decode("utf-8", "replace"), float(probabilities[other]))
            for other in likely
        ),
        drawn=() if drawn is None else tuple(drawn[likely].tolist()),
    )


def _top_ids(logits: NDArray[np.float32], count: int) -> list[int]:
    """Return the ids of the `count` highest of logits (V,), falling, ties by the lower id."""
    if count <= 0:
        return []
    ids = np.arange(len(logits))
    if count < len(logits):
        last = len(logits) - count
        ids = np.flatnonzero(logits >= np.partition(logits, last)[last])
    order = np.argsort(-logits[ids], kind="stable")[:count]
    found: list[int] = ids[order].tolist()
    return found
