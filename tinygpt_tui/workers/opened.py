"""A model opened to generate: by the native engine where it was built, else by torch, which is imported only then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui.checkpoints.card import NativeConfig, read_config
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import load_library
from tinygpt_tui.native.weights import read_weights, supports
from tinygpt_tui.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class OpenedModel:
    """What a job needs: each gets an engine of its own (`new_engine`), all share the weights."""

    config: NativeConfig
    tokenizer: Tokenizer
    new_engine: Callable[[], Engine]


def open_model(folder: Path) -> OpenedModel:
    """Open a model folder. Raises CheckpointError where a part is missing, damaged, or does not fit."""
    config = read_config(folder)
    library = load_library()
    if library is None or not supports(config.architecture):
        return _open_with_torch(folder)
    tokenizer = open_tokenizer(folder, config)
    weights = read_weights(folder)
    return OpenedModel(config, tokenizer, lambda: NativeEngine(weights, library))


def _open_with_torch(folder: Path) -> OpenedModel:
    import torch

    from tinygpt_tui.checkpoints.native import load
    from tinygpt_tui.generation.engine import TorchEngine

    # One token of a tiny model is too little work to share: waiting for other threads costs more than they do.
    torch.set_num_threads(1)
    checkpoint = load(folder)
    return OpenedModel(checkpoint.config, checkpoint.tokenizer, lambda: TorchEngine(checkpoint.model))
