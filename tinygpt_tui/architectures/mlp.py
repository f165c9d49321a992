"""A fixed window: the vectors of the last tokens side by side, one hidden layer, the next token.

    token ids ── embedding ── the last block_size of them ── tanh layer ── head ── logits

Source: Bengio et al. 2003 without its direct connections; what makemore's MLP computes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinygpt_tui.architectures.base import Head, LanguageModel
from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.settings.architecture import MLPSettings


@dataclass
class WindowMemory(Memory):
    """The vectors of the last tokens of each text, oldest first, (B, block_size - 1, C)."""

    recent: Tensor

    def _put(self, row: int, other: WindowMemory, other_row: int) -> None:
        self.recent[row] = other.recent[other_row]


class WindowMLP(LanguageModel):
    """Each token is predicted from the `block_size` tokens before it; a learned vector is where there are none."""

    settings: MLPSettings

    def __init__(self, settings: MLPSettings) -> None:
        super().__init__(settings)
        V, T, C, H = settings.vocab_size, settings.block_size, settings.n_embd, settings.n_hidden
        self.wte = nn.Embedding(V, C)
        self.start = nn.Parameter(torch.zeros(C))
        self.hidden = nn.Linear(T * C, H)
        self.lm_head = Head(H, V)
        nn.init.normal_(self.wte.weight, std=0.8)
        nn.init.normal_(self.hidden.weight, std=(T * C) ** -0.5)
        nn.init.normal_(self.lm_head.weight, std=0.001)
        for layer in (self.hidden, self.lm_head):
            nn.init.zeros_(layer.bias)

    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        """ids (B, T) -> logits (B, T, V)."""
        assert memory is None or isinstance(memory, WindowMemory)
        (B, T), earlier = ids.shape, self.settings.block_size - 1
        before = self.start.expand(B, earlier, -1) if memory is None else memory.recent[:B]
        joined = torch.cat((before, self.wte(ids)), dim=1)  # (B, earlier + T, C)
        if memory is not None:
            memory.recent[:B] = joined[:, T:]
            memory.count(ids)
        # The token itself first, then those before it.
        windows = torch.cat([joined[:, earlier - back : earlier - back + T] for back in range(earlier + 1)], dim=-1)
        logits: Tensor = self.lm_head(torch.tanh(self.hidden(windows)))
        return logits

    def new_memory(self, batch: int) -> WindowMemory:
        """Return a memory of what is before a text, for `batch` texts."""
        recent = self.start.detach().expand(batch, self.settings.block_size - 1, -1)
        return WindowMemory(recent.clone(), lengths=[0] * batch)
