"""What is exported: a model's arrays and its name; no torch here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.stored import StoredModel
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import EncoderDecoderSettings, GPTSettings
from tinygpt_tui.settings.model_config import NativeConfig
from tinygpt_tui.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class ExportSource:
    """A model with its weights, on its way out."""

    name: str
    stored: StoredModel

    @property
    def config(self) -> NativeConfig:
        """Its settings, and what it was trained on."""
        return self.stored.config

    @property
    def tokenizer(self) -> Tokenizer:
        return self.stored.tokenizer

    @property
    def gpt(self) -> GPTSettings:
        """The settings, of a model that is known to be a GPT."""
        settings = self.config.architecture
        assert isinstance(settings, GPTSettings)
        return settings

    def state(self) -> Weights:
        """The weights under their own names, float32; a tied head under both of its names."""
        return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in self.stored.weights.items()}

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Return the logits (T, V) after each of `ids`, which fit in the window. Raises MissingPackageError."""
        forward = forward_of(self.config.architecture, self.stored.weights, self.name)
        logits: NDArray[np.float32] = forward(np.array([ids]))[0]
        return logits

    @property
    def prompt(self) -> str:
        """A beginning that the model knows, for examples."""
        for prompt in ("ROMEO:", "Once", "The", "A"):
            if not self.tokenizer.unknown_in(prompt):
                return prompt
        return self.tokenizer.bytes_of(0).decode("utf-8", "replace")

    def trial_ids(self) -> list[int]:
        """Ids to compare two readings of the model by: all kinds, as many as the window takes, 64 at most."""
        settings = self.config.architecture
        V, T = settings.vocab_size, min(64, settings.block_size)
        ids = [(17 + 31 * place * place) % V for place in range(T)]
        if isinstance(settings, EncoderDecoderSettings):
            ids[T // 3] = settings.separator  # without an answer there are no logits
        return ids
