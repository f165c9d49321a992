"""Several models as one: the mean of their log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.memory import Memory


class Ensemble(LanguageModel):
    """Its logits are the mean of the models' log-probabilities; it reads as much of a text as each of them can."""

    def __init__(self, models: Sequence[LanguageModel]) -> None:
        """`models` have the same vocabulary; the settings are those of the first one."""
        super().__init__(models[0].settings)
        self.models = nn.ModuleList(models)
        self.block_size = min((model.block_size for model in models if model.block_size is not None), default=None)

    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        assert memory is None, "an ensemble reads whole texts"
        return torch.stack([model(ids).float().log_softmax(-1) for model in self.models]).mean(0)

    def new_memory(self, batch: int) -> Memory:
        raise NotImplementedError("an ensemble reads whole texts")
