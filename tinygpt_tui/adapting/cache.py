"""An n-gram cache: what followed the last tokens or words each time before in a text, mixed with a net's prediction.

The mixture is log-linear, as in context-mixing compressors (Mahoney 2005, "Adaptive weighing of context models"): the
log-probabilities of the net and the evidence of each context are added with weights, and the softmax of the sum is the
prediction. Weights learn from each token after it was predicted. A context has weights of its own for how often it was
seen and whether one token alone followed; so a context that was seen once counts little, and a certain one much.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Chosen as in learner.py.
ORDERS = (1, 2, 3, 4, 5, 6, 7, 9)  # tokens in a context
WORDS = 3  # contexts of the letters of the word that is being written, and with those of one word and of two before it
LONGEST = 48  # tokens that these are read from
BUCKETS = 12  # weights of each
RATE = 0.002  # of the weights
START = 0.03  # the first weight of a context; the net's is 1
UNSEEN = 0.03  # what a count is measured by: the evidence of one is log(1 + 1 / UNSEEN)
MOST = 1 << 20  # contexts of one order; then the older half is forgotten


class NgramCache:
    """Call `mix` for a prediction, and `learn` with what came, if it is to learn from it."""

    def __init__(self, vocab_size: int, nets: int = 1, letters: Sequence[int] = ()) -> None:
        """`nets` is how many nets predict each token.

        `letters` (V,) is for each token the number of its letter, 0 where it is none: then words are contexts, too.
        """
        contexts = len(ORDERS) + (WORDS if any(letters) else 0)
        rows = nets + contexts
        self._size, self._nets = vocab_size, nets
        self._letters, self._base = letters if any(letters) else (), max(letters, default=0) + 1
        self._longest = max(ORDERS[-1], LONGEST if self._letters else 0)
        self.tables: tuple[dict[int, dict[int, int]], ...] = tuple({} for _ in range(contexts))
        self._keys = [0] * contexts  # of the contexts that `mix` was given last
        self._weights = np.full((rows, BUCKETS), START)
        self._weights[:nets] = 1 / nets
        self._evidence = np.zeros((rows, vocab_size))
        self._rows, self._buckets = np.arange(rows), np.zeros(rows, dtype=np.int64)
        self._probabilities = np.full(vocab_size, 1 / vocab_size)

    def count(self, ids: Sequence[int]) -> None:
        """Count what followed what in another text, of any length; the weights learn nothing from it."""
        for place in range(1, len(ids)):
            self._keys = self._keys_of(ids[max(0, place - self._longest) : place][::-1])
            self._count(ids[place])

    def mix(self, logits: NDArray[np.float32], before: Sequence[int]) -> NDArray[np.float64]:
        """Return log-probabilities (V,) of the next token from the nets' logits (N, V) and the tokens `before` it."""
        evidence, buckets = self._evidence, self._buckets
        self._keys = self._keys_of(before[: -self._longest - 1 : -1])
        nets = self._nets
        evidence[nets:] = 0
        for row, each in enumerate(logits):
            evidence[row] = log_softmax(each.astype(np.float64))
            buckets[row] = min(BUCKETS - 1, int(-4 * evidence[row].max()))
        for row, (table, key) in enumerate(zip(self.tables, self._keys, strict=True), start=nets):
            buckets[row] = 0
            if followers := table.get(key):
                for id, count in followers.items():
                    evidence[row, id] = math.log1p(count / UNSEEN)
                seen = sum(followers.values()).bit_length() - 1
                buckets[row] = 2 * min(seen, BUCKETS // 2 - 1) + (len(followers) > 1)
        mixed = log_softmax(self._weights[self._rows, buckets] @ evidence)
        self._probabilities = np.exp(mixed)
        return mixed

    def learn(self, id: int) -> None:
        """Learn from the token that came where `mix` predicted one: the weights first, then the counts."""
        slope = self._evidence @ self._probabilities - self._evidence[:, id]
        self._weights[self._rows, self._buckets] -= RATE * slope
        self._count(id)

    def _count(self, id: int) -> None:
        for table, key in zip(self.tables, self._keys, strict=True):
            followers = table.setdefault(key, {})
            followers[id] = followers.get(id, 0) + 1
            if len(table) > MOST:  # half at once: finding the first one in a dict takes longer with each that has gone
                for old in list(itertools.islice(table, MOST // 2)):
                    del table[old]

    def _keys_of(self, last: Sequence[int]) -> list[int]:
        """Return a number for each context; `last` are the last tokens, the newest first.

        Of a context that is longer than the text it is that of the whole text.
        """
        keys = [key := 0]
        for id in last[: ORDERS[-1]]:
            key = key * self._size + id + 1
            keys.append(key)
        of_tokens = [keys[min(order, len(keys) - 1)] for order in ORDERS]
        return of_tokens + self._word_keys(last) if self._letters else of_tokens

    def _word_keys(self, last: Sequence[int]) -> list[int]:
        """Return a number for the word that `last` ends in, which may have no letter yet, and the words before it."""
        keys: list[int] = []
        key, inside = 1, True  # in the word that is being written
        for id in last:
            if letter := self._letters[id]:
                key, inside = key * self._base + letter, True
            elif inside:
                keys.append(key)
                if len(keys) == WORDS:
                    return keys
                key, inside = key * self._base, False
        return keys + [key] * (WORDS - len(keys))


def log_softmax(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithms of the softmax of (V,) numbers.

    >>> log_softmax(np.zeros(2)).tolist() == [-math.log(2)] * 2
    True
    """
    shifted: NDArray[np.float64] = numbers - numbers.max()
    shifted -= np.log(np.exp(shifted).sum())
    return shifted
