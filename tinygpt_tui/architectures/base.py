"""The contract of every language model, and what can be counted of any."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.rules import check


class LanguageModel(nn.Module, ABC):
    """ids (B, T) -> logits (B, T, V).

    With a memory, `ids` are only the new ones, and the answer is the same as for the whole text. `block_size` is the
    longest text that the model sees at once; None where there is no such limit.
    """

    settings: ArchitectureSettings
    block_size: int | None = None

    def __init__(self, settings: ArchitectureSettings) -> None:
        """Raises UsageError for settings that do not fit together."""
        super().__init__()
        check(settings)
        self.settings = settings
        self.vocab_size = settings.vocab_size

    @abstractmethod
    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        """Return the logits (B, T, V) of the token after each of `ids` (B, T)."""

    @abstractmethod
    def new_memory(self, batch: int) -> Memory:
        """Return a memory that has seen nothing, for `batch` texts at once."""

    @property
    def receptive_field(self) -> int | None:
        """How many tokens of an endless text the last logits depend on; None: all of them."""
        return self.settings.receptive_field

    def count_parameters(self) -> int:
        """Return how many numbers are learnt; a tied head counts once."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device
