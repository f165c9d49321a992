"""What a model would say if one token of a text had been another: the passes behind an attribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.generation.base import BatchEngine

AT_ONCE = 32  # texts in one call of a batch engine


class Replacement(NamedTuple):
    """A place in a text, counted in tokens from 0, and the id to put there."""

    place: int
    id: int


class Replacer(Protocol):
    """Reads a text again and again, each time with one token replaced; every other token keeps its position."""

    def logits(self, ids: Sequence[int], replacements: Sequence[Replacement]) -> NDArray[np.float32]:
        """Return the logits (R, V) after `ids`, with each of the replacements (R,) made alone.

        They are in order of their places, none of which is more than block_size tokens before the end.
        """
        ...


class BatchReplacer:
    """A Replacer for every architecture: the changed texts are read as a batch."""

    def __init__(self, engine: BatchEngine) -> None:
        """`engine` has room for AT_ONCE texts, and no other use."""
        self._engine = engine

    def logits(self, ids: Sequence[int], replacements: Sequence[Replacement]) -> NDArray[np.float32]:
        texts = [[*ids[:place], id, *ids[place + 1 :]] for place, id in replacements]
        found = []
        for start in range(0, len(texts), AT_ONCE):
            found.append(self._engine.join(texts[start : start + AT_ONCE]))
            self._engine.keep_rows([])
        return np.concatenate(found)
