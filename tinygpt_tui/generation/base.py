"""The contract of every decoding engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.settings.windows import Policy


class Engine(Protocol):
    """Writes one text: reads it once (`prefill`), then continues id by id (`step`); both return logits (V,) float32.

    The arrays that it returns belong to the caller: the next call does not change them.
    """

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Start a new text with `ids` (at least one) and return logits (V,).

        The last block_size ids are read; under `rolling`, as many as can affect the answer, which is that of the whole.
        """
        ...

    def step(self, id: int) -> NDArray[np.float32]:
        """Add one id to the text; return logits (V,)."""
        ...

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the logits (T, V) after each of `ids` (T,), a text of their own; T is at most block_size.

        The text that was started before is forgotten.
        """
        ...

    @property
    def context_used(self) -> int:
        """How many tokens the last logits were computed from, at most block_size."""
        ...

    @property
    def window(self) -> Policy:
        """What happens when the window is full."""
        ...


class BatchEngine(Protocol):
    """Writes several texts that join and leave, one forward pass for all: each has the logits of an Engine."""

    def join(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Start `texts`, each of at least one id, behind those being written; return the new ones' logits (B, V)."""
        ...

    def step(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add one id to each text; return the logits (B, V) of all."""
        ...

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Continue with the texts at these places only, in this order; the others have ended."""
        ...

    @property
    def contexts_used(self) -> list[int]:
        """Engine.context_used of each text."""
        ...

    @property
    def window(self) -> Policy:
        """What happens when a text's window is full."""
        ...
