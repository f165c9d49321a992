"""What is exported: an opened model and its name."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.card import NativeConfig
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class Subject:
    """A model with its weights, on its way out."""

    name: str
    config: NativeConfig
    model: LanguageModel
    tokenizer: Tokenizer

    @property
    def gpt(self) -> GPTSettings:
        """The settings, of a model that is known to be a GPT."""
        settings = self.config.architecture
        assert isinstance(settings, GPTSettings)
        return settings

    def state(self) -> dict[str, Tensor]:
        """The weights under their own names, float32, on the processor; a tied head under both of its names."""
        return {name: tensor.detach().cpu().float().contiguous() for name, tensor in self.model.state_dict().items()}

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> Tensor:
        """Return the logits (T, V) after each of `ids`, which fit in the window."""
        logits: Tensor = self.model(torch.tensor([ids], device=self.model.device))[0]
        return logits.float().cpu()

    def trial_ids(self) -> list[int]:
        """Ids to compare two readings of the model by: all kinds, as many as the window takes, 64 at most."""
        V = self.config.architecture.vocab_size
        return [(17 + 31 * place * place) % V for place in range(min(64, self.config.architecture.block_size))]
