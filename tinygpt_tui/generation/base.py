"""The contract of every decoding engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.settings.windows import Policy


class Engine(Protocol):
    """Reads a text once (`prefill`), then goes on id by id (`step`); both return logits (V,) float32.

    What is returned is the caller's own: the next call does not change it.
    """

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Begin a new text with `ids` (at least one), of which the last block_size are seen.

        Under `rolling` as many are read as are in the receptive field: the answer is that of the whole text.
        """
        ...

    def step(self, id: int) -> NDArray[np.float32]:
        """Add one id to the text."""
        ...

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the logits (T, V) after each of `ids` (T,) as a text of their own; at most block_size of them.

        Forgets the text that was begun before.
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
    """Several texts side by side, one forward pass for all: (B, V) float32, the same as an Engine's for each."""

    def prefill(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Begin new texts, each of at least one id."""
        ...

    def step(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add one id to each text."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these texts alone (by their places now, in order): the others have ended."""
        ...

    @property
    def contexts_used(self) -> list[int]:
        """What Engine.context_used says, for each text."""
        ...

    @property
    def window(self) -> Policy:
        """What happens when a text's window is full."""
        ...


class JoiningEngine(BatchEngine, Protocol):
    """A BatchEngine whose texts need not begin together: others join while some are half written."""

    def join(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Begin `texts` behind those that are being written; return their own logits (B, V), and leave the others'."""
        ...
