"""Passages of a training part that no step reads: they decide how sure the trained model may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.tokenizers.char import Ids

FEWEST, MOST = 1000, 50_000  # tokens: fewer decide too little, more decide nothing else
PASSAGES = 8  # of a text in memory
TOO_SHORT = "the text is too short to set a part of it aside for the calibration"


def set_aside(corpus: Corpus, share: float, length: int) -> tuple[Corpus, Ids]:
    """Return the corpus without some passages of its training part, and those (K,): `share` of it, MOST at most.

    Each is in the middle of an eighth of the training part: the end alone would often be what the validation part
    continues, the text that a model needs most. A text in a file is too large to copy and loses its end. Nothing is set
    aside if `share` is 0, or the rest would not hold one window of `length`.
    """
    tokens = len(corpus.train)
    count = min(int(tokens * share), MOST)
    if count < FEWEST or tokens - count <= length:
        return corpus, corpus.train[:0]
    if corpus.file is not None:
        return replace(corpus, train=corpus.train[: tokens - count]), corpus.train[tokens - count :]
    parts = np.array_split(corpus.train, PASSAGES)
    chosen = np.zeros(tokens, dtype=bool)
    start = 0
    for number, part in enumerate(parts):
        passage = count // PASSAGES + (number < count % PASSAGES)
        middle = start + (len(part) - passage) // 2
        chosen[middle : middle + passage] = True
        start += len(part)
    return replace(corpus, train=corpus.train[~chosen]), corpus.train[chosen]
