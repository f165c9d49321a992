"""What `config.json` of a model folder holds: the architecture with its settings, and what its weights come from."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from tinygpt_tui.settings.architecture import ArchitectureSettings

FORMAT = 1
EMBEDDING, HEAD = (
    "transformer.wte.weight",
    "lm_head.weight",
)  # in a state dict


class TrainedOn(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model's weights come from: corpus, step, and the loss over the validation split, nats per token.

    `tokens` is how many of the split's tokens gave that loss while the model is still being trained; 0: all of them.
    """

    corpus: str
    step: int
    validation_loss: float
    tokens: int = 0
    characters_per_token: Annotated[float, Meta(gt=0)] = 1.0  # in the validation split

    @property
    def loss_per_character(self) -> float:
        """The loss, nats per character: comparable among models on one text, whatever their tokens."""
        return self.validation_loss / self.characters_per_token


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's logits are multiplied by, so that its probabilities are as often right as they say.

    `tokens` of `text`, which no step of the training has read, decided it.
    """

    logit_scale: Annotated[float, Meta(gt=0, le=100)]
    tokens: Annotated[int, Meta(ge=0, le=1 << 53)]
    text: str


class MixedAdapter(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter in a mix, and how strong it is: 1 as it was trained, 0 not at all."""

    name: str
    path: str
    weight: Annotated[float, Meta(ge=-10, le=10, description="how strong the adapter is")] = 1.0


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """What a model of an adapter's own weights needs besides: its base, recognised by the hash of its weights.

    With `mixed` it is a mix of several adapters and has no weights of its own.
    """

    base: str
    path: str
    sha256: str = ""
    rank: int = 0
    matrices: str = "all"
    mixed: tuple[MixedAdapter, ...] = ()


class NativeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`config.json` of a model folder."""

    format: int
    architecture: ArchitectureSettings
    parameters: int
    trained: TrainedOn | None = None
    calibration: Calibration | None = None
    adapter: Adapter | None = None
