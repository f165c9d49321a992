"""The contract of every decoding engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """Reads a text once (`prefill`), then goes on id by id (`step`); both return logits (V,) float32."""

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Begin a new text with `ids` (at least one), of which the last block_size are seen."""
        ...

    def step(self, id: int) -> NDArray[np.float32]:
        """Add one id to the text."""
        ...

    @property
    def context_used(self) -> int:
        """How many tokens the last logits were computed from."""
        ...
