"""Truncated backpropagation through time: the memory is carried from each window of the text to the next.

Source: Williams and Peng 1990; here with windows that do not overlap, as in Mikolov et al. 2010.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.recurrent import RecurrentMemory


class WindowOrder(Protocol):
    """Windows that follow each other in the text, with the steps at which they start again."""

    def is_start(self, step: int) -> bool:
        """Whether the windows of `step` continue no others."""
        ...


class TruncatedBPTT:
    """The memory between two steps; no gradient passes from one step to the other."""

    def __init__(self, windows: WindowOrder) -> None:
        self._windows = windows
        self._memory: RecurrentMemory | None = None

    def logits(self, model: LanguageModel, inputs: Tensor, step: int) -> Tensor:
        """inputs (B, T) -> logits (B, T, V), continued from where the previous step ended."""
        if self._memory is None or self._windows.is_start(step) or self._memory.states.shape[1] != inputs.shape[0]:
            memory = model.new_memory(inputs.shape[0])
            assert isinstance(memory, RecurrentMemory), "only a recurrent memory is carried"
            self._memory = memory
        logits: Tensor = model(inputs, self._memory)
        self._memory = self._memory.detach()
        return logits

    def state(self) -> dict[str, Any] | None:
        """Return what is carried, to resume exactly; tensors and plain data."""
        if self._memory is None:
            return None
        return {"states": self._memory.states, "cells": self._memory.cells, "length": self._memory.length}

    def load_state(self, saved: dict[str, Any] | None, device: torch.device) -> None:
        """Return to what was carried then."""
        self._memory = None
        if saved is not None:
            states, cells = saved["states"].to(device), saved["cells"].to(device)
            self._memory = RecurrentMemory(states, cells, lengths=[saved["length"]] * states.shape[1])
