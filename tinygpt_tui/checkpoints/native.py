"""Models of torch: read from and written to our own layout, a folder of config.json, tokenizer.json and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import safetensors.torch
import torch
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.card import WEIGHTS, read_config, write_config
from tinygpt_tui.checkpoints.stored import StoredModel, read_folder, read_model
from tinygpt_tui.checkpoints.torch_net import filled, tensors_of
from tinygpt_tui.checkpoints.vocabulary import write_tokenizer
from tinygpt_tui.files import write_bytes
from tinygpt_tui.foreign.facts import Fact
from tinygpt_tui.foreign.opening import Overrides
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.model_config import FORMAT, HEAD, Adapter, NativeConfig, TrainedOn
from tinygpt_tui.tokenizers.base import Tokenizer


class Stateful(Protocol):
    """What has tensors to write."""

    def state_dict(self) -> Mapping[str, torch.Tensor]:
        """Return them by name."""


@dataclass(frozen=True)
class Checkpoint:
    """An opened model: the net with its weights, in evaluation mode, and its tokenizer.

    `facts` says of a foreign one what was taken from where.
    """

    config: NativeConfig
    model: LanguageModel
    tokenizer: Tokenizer
    layout: str = "native"
    facts: tuple[Fact, ...] = ()


def load(folder: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Open a model folder. Raises CheckpointError where a part is missing, damaged, or does not fit."""
    return checkpoint_of(read_folder(folder), device)


def open_checkpoint(path: Path, device: torch.device | str = "cpu", overrides: Overrides | None = None) -> Checkpoint:
    """Open a model folder, or a checkpoint of any known format. Raises as `read_model`."""
    return checkpoint_of(read_model(path, overrides), device)


def load_snapshot(folder: Path, weights: Mapping[str, NDArray[Any]], device: torch.device | str = "cpu") -> Checkpoint:
    """Open a model folder with other weights: those of a moment of its run. Raises CheckpointError."""
    return checkpoint_of(read_folder(folder, weights), device)


def checkpoint_of(stored: StoredModel, device: torch.device | str = "cpu") -> Checkpoint:
    """Build the net of a model that was read."""
    model = filled(stored.config.architecture, tensors_of(stored.weights)).to(device).eval()
    return Checkpoint(stored.config, model, stored.tokenizer, stored.layout, stored.facts)


def write_beginning(
    folder: Path,
    settings: ArchitectureSettings,
    parameters: int,
    tokenizer: Tokenizer,
    adapter: Adapter | None = None,
) -> None:
    """Make an existing folder a model's, or an adapter's, that has no weights yet. Raises StorageError."""
    write_tokenizer(folder, tokenizer)
    write_config(folder, NativeConfig(format=FORMAT, architecture=settings, parameters=parameters, adapter=adapter))


def write_weights(folder: Path, model: Stateful, trained: TrainedOn) -> None:
    """Replace the weights of a model folder by those of `model`, which for an adapter's folder is that adapter.

    `trained` says where they come from. Raises StorageError.
    """
    config = read_config(folder)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if config.architecture.tied_head and config.adapter is None:
        del state[HEAD]  # the same tensor as the embedding: kept once
    write_bytes(folder / WEIGHTS, safetensors.torch.save(state), within=folder)
    write_config(folder, msgspec.structs.replace(config, trained=trained, calibration=None))


def write_trained(folder: Path, trained: TrainedOn) -> None:
    """Update the record of where the weights come from, and leave the weights unchanged. Raises StorageError."""
    write_config(folder, msgspec.structs.replace(read_config(folder), trained=trained))
