"""From ids to the next token's logits by torch, for every architecture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.memory import Memory


class TorchEngine:
    """Runs any architecture by its memory; when the window is full, by the exact crop.

    The exact crop is what nanoGPT does: the last block_size ids are read again from the start for every token, because
    each of them has moved to another position.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model.eval()
        self._ids: list[int] = []
        self._memory: Memory | None = None

    @property
    def context_used(self) -> int:
        """How many tokens the last logits were computed from."""
        return len(self._ids)

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Begin a new text; see Engine."""
        self._ids = self._crop(list(ids))
        self._memory = self._model.new_memory(1)
        return self._logits(self._ids, self._memory)

    def step(self, id: int) -> NDArray[np.float32]:
        """Add one id; see Engine."""
        full = len(self._ids) == self._model.block_size
        self._ids = self._crop([*self._ids, id])
        if full:
            return self._logits(self._ids, None)
        return self._logits([id], self._memory)

    def _crop(self, ids: list[int]) -> list[int]:
        return ids if self._model.block_size is None else ids[-self._model.block_size :]

    @torch.inference_mode()
    def _logits(self, ids: list[int], memory: Memory | None) -> NDArray[np.float32]:
        model = self._model
        logits = model(torch.tensor([ids], device=model.device), memory)[0, -1]
        answer: NDArray[np.float32] = logits.float().cpu().numpy()
        return answer
