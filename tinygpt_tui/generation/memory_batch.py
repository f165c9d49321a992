"""Several texts side by side through any net, by its own memory: one pass for the next token of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.settings.windows import Policy

POSITIONS_ON_A_GPU = 1 << 15  # read together: it has more to share the work among


class MemoryBatchEngine(SlotBatchEngine[tuple[Memory, int]]):
    """A JoiningEngine for any architecture, wherever its weights are."""

    def __init__(self, model: LanguageModel, texts: int, policy: Policy = "exact") -> None:
        """At most `texts` (at least one) texts. Raises UsageError, as TorchEngine does."""
        super().__init__(model.settings, model.receptive_field, texts, policy)
        self._model = model.eval()
        self._memory, self._rows = model.new_memory(0), 0
        if model.device.type != "cpu":
            self.positions_at_once = POSITIONS_ON_A_GPU

    @torch.inference_mode()
    def _make_room(self, rows: int) -> None:
        if rows > self._rows:
            larger = self._model.new_memory(max(rows, min(2 * self._rows, self._room)))
            for row in range(len(self._active)):
                larger.put(row, self._memory, row)
            self._memory, self._rows = larger, len(larger.lengths)

    @torch.inference_mode()
    def _read_alike(
        self, texts: Sequence[Sequence[int]], goes_on: bool
    ) -> tuple[NDArray[np.float32], list[tuple[Memory, int]]]:
        memory = self._model.new_memory(len(texts)) if goes_on else None
        logits = self._logits(texts, memory)
        return logits, [] if memory is None else [(memory, number) for number in range(len(texts))]

    @torch.inference_mode()
    def _assign(self, left: tuple[Memory, int], row: int, seen: int) -> None:
        self._memory.put(row, *left)

    @torch.inference_mode()
    def _evict(self, row: int, last: int) -> None:
        if row != last:
            self._memory.put(row, self._memory, last)

    @torch.inference_mode()
    def _step(self, ids: list[int]) -> NDArray[np.float32]:
        return self._logits([[id] for id in ids], self._memory)

    def _logits(self, texts: Sequence[Sequence[int]], memory: Memory | None) -> NDArray[np.float32]:
        """Read `texts` (B, T) on; return the logits (B, V) after the last of each."""
        logits = self._model(torch.tensor(texts, device=self._model.device), memory)[:, -1]
        answer: NDArray[np.float32] = logits.float().cpu().numpy()
        return answer
