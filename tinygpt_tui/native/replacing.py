"""One text of gpt.c with one token replaced at a time: what is before the token is read once for all replacements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygpt_tui.native.library import Library
from tinygpt_tui.native.reader import Logits, Reader
from tinygpt_tui.native.weights import NativeWeights
from tinygpt_tui.settings.windows import Policy


class NativeReplacer:
    """A Replacer, see generation/replacing.py; `replacements` are pairs of a place and an id, in order."""

    def __init__(self, weights: NativeWeights, library: Library | None = None, *, policy: Policy = "exact") -> None:
        """Raises what NativeEngine raises."""
        self._reader = Reader(weights, library, policy, texts=2)

    def logits(self, ids: Sequence[int], replacements: Sequence[tuple[int, int]]) -> Logits:
        """Return the logits (R, V) after `ids` with each replacement (R,) made alone.

        Raises UsageError for an unknown id.
        """
        reader, (before, changed) = self._reader, self._reader.texts
        numbers = reader.checked(ids)
        found = np.empty((len(replacements), reader.vocab_size), dtype=np.float32)
        before.position = reached = 0
        for row, (place, id) in enumerate(replacements):
            if not reached and place:
                reader.begin(before, ids[:place])
            elif place > reached:
                reader.read([before], numbers[reached:place])
            reached = place
            rest = numbers[place:].copy()
            rest[0] = reader.checked([id])[0]
            reader.copy(before, changed)
            found[row] = reader.read([changed], rest)[0]
        return found
