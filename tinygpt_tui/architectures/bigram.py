"""Bigram: one table, in which each token looks up what follows it. What the lecture begins with."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.settings.architecture import BigramSettings


@dataclass
class BigramMemory(Memory):
    """Nothing but how much has been read: only the last token counts, and it comes with every call."""

    def _put(self, row: int, other: BigramMemory, other_row: int) -> None:
        pass


class Bigram(LanguageModel):
    """Logits (V, V): row a holds how likely each token is after a."""

    settings: BigramSettings

    def __init__(self, settings: BigramSettings) -> None:
        super().__init__(settings)
        self.table = nn.Embedding(settings.vocab_size, settings.vocab_size)
        nn.init.normal_(self.table.weight, std=0.02)

    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        """ids (B, T) -> logits (B, T, V)."""
        if memory is not None:
            memory.count(ids)
        logits: Tensor = self.table(ids)
        return logits

    def new_memory(self, batch: int) -> BigramMemory:
        return BigramMemory(lengths=[0] * batch)
