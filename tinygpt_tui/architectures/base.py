"""The contract of every language model, and what can be counted of any."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from tinygpt_tui.architectures.extras import TokenShift
from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.rules import check


class Head(nn.Linear):
    """The matrix from the stream to the logits, (V, C); they may be pressed below a `cap` (Gemma 2, 2024)."""

    cap = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """x (…, C) -> (…, V)."""
        logits = super().forward(x)
        return self.cap * torch.tanh(logits / self.cap) if self.cap else logits


class Role(enum.Enum):
    """What a parameter is to the optimizer."""

    EMBEDDING = "a row for each token or position, or a weight for each channel"
    MATRIX = "a matrix inside the layers"
    HEAD = "the output head"
    OTHER = "norms, biases and all else"


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

    def roles(self) -> dict[str, Role]:
        """Return each parameter's role by its name. The type of its module decides; a tied head is an embedding."""
        modules = dict(self.named_modules())
        return {name: _role(modules[name.rpartition(".")[0]], weight) for name, weight in self.named_parameters()}

    def count_parameters(self) -> int:
        """Return the number of parameters; a tied head counts once."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


def _role(module: nn.Module, weight: Tensor) -> Role:
    if isinstance(module, nn.Embedding | TokenShift):
        return Role.EMBEDDING
    if isinstance(module, Head):
        return Role.HEAD
    return Role.MATRIX if isinstance(module, nn.Linear) and weight.dim() == 2 else Role.OTHER
