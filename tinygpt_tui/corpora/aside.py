"""The end of a training part that no step reads: it decides how sure the trained model may be."""

from __future__ import annotations

from dataclasses import replace

from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.tokenizers.ids import Ids

FEWEST, MOST = 1000, 50_000  # tokens: fewer decide too little, more decide nothing else
TOO_SHORT = "the text is too short to set a part of it aside for the calibration"


def set_aside(corpus: Corpus, share: float, length: int) -> tuple[Corpus, Ids]:
    """Return the corpus without the end of its training part, and that end (K,): `share` of it, MOST at most.

    It is empty if `share` is 0, or the rest would not hold one window of `length`.
    """
    count = min(int(len(corpus.train) * share), MOST)
    cut = len(corpus.train) - count
    if count < FEWEST or cut <= length:
        return corpus, corpus.train[:0]
    return replace(corpus, train=corpus.train[:cut]), corpus.train[cut:]
