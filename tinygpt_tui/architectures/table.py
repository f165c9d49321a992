"""The architectures by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygpt_tui.architectures.backpack import Backpack
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.bigram import Bigram
from tinygpt_tui.architectures.cnn import CNN
from tinygpt_tui.architectures.encoder_decoder import EncoderDecoder
from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.architectures.mlp import WindowMLP
from tinygpt_tui.architectures.recurrent import Recurrent
from tinygpt_tui.settings.architecture import ArchitectureSettings

ARCHITECTURES: dict[str, Callable[[Any], LanguageModel]] = {
    "gpt": GPT,
    "rnn": Recurrent,
    "gru": Recurrent,
    "lstm": Recurrent,
    "cnn": CNN,
    "mlp": WindowMLP,
    "backpack": Backpack,
    "encoder_decoder": EncoderDecoder,
    "bigram": Bigram,
}


def build(settings: ArchitectureSettings) -> LanguageModel:
    """Build the net that `settings` describe, with its first weights drawn. Raises UsageError."""
    return ARCHITECTURES[type(settings).__struct_config__.tag](settings)  # type: ignore[index]
