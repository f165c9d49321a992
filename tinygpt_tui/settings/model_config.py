"""What `config.json` of a model folder holds: the architecture with its settings, and what its weights come from."""

from __future__ import annotations

import msgspec

from tinygpt_tui.settings.architecture import ArchitectureSettings

FORMAT = 1
EMBEDDING, HEAD = (
    "transformer.wte.weight",
    "lm_head.weight",
)  # in a state dict


class TrainedOn(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model's weights come from: corpus, step, and the loss over the validation split.

    `tokens` is how many of the split's tokens gave that loss while the model is still being trained; 0: all of them.
    """

    corpus: str
    step: int
    validation_loss: float
    tokens: int = 0


class NativeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`config.json` of a model folder."""

    format: int
    architecture: ArchitectureSettings
    parameters: int
    trained: TrainedOn | None = None
