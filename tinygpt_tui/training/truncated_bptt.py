"""A memory that is carried from each window of the text to the next: truncated backpropagation through time.

Source: Williams and Peng 1990; here with windows that do not overlap, as in Mikolov et al. 2010.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.recurrent import RecurrentMemory


class Follows(Protocol):
    """What says where the text begins anew."""

    def begins(self, step: int) -> bool:
        """Whether the windows of `step` follow on no others."""
        ...


class TruncatedBPTT:
    """The memory between two steps; gradients end at its border."""

    def __init__(self, windows: Follows) -> None:
        self._windows = windows
        self._memory: RecurrentMemory | None = None

    def logits(self, model: LanguageModel, inputs: Tensor, step: int) -> Tensor:
        """inputs (B, T) -> logits (B, T, V), read on from where the step before ended."""
        if self._memory is None or self._windows.begins(step) or self._memory.states.shape[1] != inputs.shape[0]:
            memory = model.new_memory(inputs.shape[0])
            assert isinstance(memory, RecurrentMemory), "only a recurrent memory is carried"
            self._memory = memory
        logits: Tensor = model(inputs, self._memory)
        self._memory = self._memory.detach()
        return logits

    def state(self) -> dict[str, Any] | None:
        """Return what is carried, to go on exactly; tensors and plain data."""
        if self._memory is None:
            return None
        return {"states": self._memory.states, "cells": self._memory.cells, "length": self._memory.length}

    def load_state(self, kept: dict[str, Any] | None, device: torch.device) -> None:
        """Go back to what was carried then."""
        self._memory = None
        if kept is not None:
            states, cells = kept["states"].to(device), kept["cells"].to(device)
            self._memory = RecurrentMemory(states, cells, lengths=[kept["length"]] * states.shape[1])
