"""Models of torch: read from and written to our own layout, a folder of config.json, tokenizer.json and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.checkpoints.card import WEIGHTS, read_config, write_config
from tinygpt_tui.checkpoints.stored import StoredModel, read_folder, read_model
from tinygpt_tui.checkpoints.vocabulary import write_tokenizer
from tinygpt_tui.files import write_bytes
from tinygpt_tui.foreign.facts import Fact
from tinygpt_tui.foreign.opening import Overrides
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.model_config import FORMAT, HEAD, NativeConfig, TrainedOn
from tinygpt_tui.tokenizers.base import Tokenizer


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


def write_beginning(folder: Path, settings: ArchitectureSettings, parameters: int, tokenizer: Tokenizer) -> None:
    """Make an existing folder a model's that has no weights yet. Raises StorageError."""
    write_tokenizer(folder, tokenizer)
    write_config(folder, NativeConfig(format=FORMAT, architecture=settings, parameters=parameters))


def write_weights(folder: Path, model: LanguageModel, trained: TrainedOn) -> None:
    """Replace the weights of a model folder, and say where they come from. Raises StorageError."""
    config = read_config(folder)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if config.architecture.tied_head:
        del state[HEAD]  # the same tensor as the embedding: kept once
    write_bytes(folder / WEIGHTS, safetensors.torch.save(state), within=folder)
    write_config(folder, msgspec.structs.replace(config, trained=trained))


def write_trained(folder: Path, trained: TrainedOn) -> None:
    """Say anew where the weights of a model folder come from; they stay as they are. Raises StorageError."""
    write_config(folder, msgspec.structs.replace(read_config(folder), trained=trained))


def filled(settings: ArchitectureSettings, weights: dict[str, Tensor]) -> LanguageModel:
    """Build the net and give it `weights`, which fit: all of them, so that no first ones need be drawn."""
    with torch.random.fork_rng(devices=[]), WithoutNumbers():
        model = build(settings)
    model.load_state_dict(weights)
    return model


def tensors_of(weights: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Return arrays as tensors; those that may be written share their memory."""
    return {
        name: torch.from_numpy(numbers if numbers.flags.writeable else numbers.copy())
        for name, numbers in weights.items()
    }


def torch_forward(model: LanguageModel) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
    """Return what computes a net's logits (B, T, V) for ids (B, T)."""

    @torch.inference_mode()
    def forward(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = model(torch.from_numpy(ids).to(model.device)).float().cpu().numpy()
        return logits

    model.eval()
    return forward


def torch_shapes(settings: ArchitectureSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a net's state dict; no memory is taken for its numbers. Raises UsageError."""
    with torch.device("meta"), WithoutNumbers():
        net = build(settings)
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


class WithoutNumbers(TorchFunctionMode):
    """Draws no random numbers, which would be overwritten; on the meta device torch imports its compiler for them."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_"):
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return func(*args, **(kwargs or {}))
