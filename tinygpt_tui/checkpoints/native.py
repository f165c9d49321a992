"""Our own layout: a folder with config.json, tokenizer.json and weights.safetensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.checkpoints.card import (
    CONFIG,
    FORMAT,
    TOKENIZER,
    WEIGHTS,
    NativeConfig,
    TrainedOn,
    read_config,
)
from tinygpt_tui.checkpoints.facts import Fact
from tinygpt_tui.checkpoints.safetensors_files import read_tensors, weights_of
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.files import write_bytes, write_text
from tinygpt_tui.settings.architecture import ArchitectureSettings, is_tied
from tinygpt_tui.tokenizers.base import Tokenizer

HEAD, EMBEDDING = "lm_head.weight", "transformer.wte.weight"


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
    config = read_config(folder)
    tokenizer = open_tokenizer(folder, config)
    places, path = weights_of(folder), folder / WEIGHTS
    if is_tied(config.architecture) and EMBEDDING in places:
        places[HEAD] = places[EMBEDDING]
    _check_fit(config.architecture, places, folder)  # before anything is read
    weights = {name: torch.from_numpy(numbers) for name, numbers in read_tensors(path, places).items()}
    return Checkpoint(config, filled(config.architecture, weights).to(device).eval(), tokenizer)


def load_moment(folder: Path, tensors: Mapping[str, NDArray[Any]], device: torch.device | str = "cpu") -> Checkpoint:
    """Open a model folder with other weights: those of a moment of its run. Raises CheckpointError."""
    config = read_config(folder)
    weights = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    if is_tied(config.architecture) and EMBEDDING in weights:
        weights[HEAD] = weights[EMBEDDING]
    _check_fit(config.architecture, weights, folder)
    model = filled(config.architecture, weights)
    return Checkpoint(config, model.to(device).eval(), open_tokenizer(folder, config))


def write_beginning(folder: Path, settings: ArchitectureSettings, parameters: int, tokenizer: Tokenizer) -> None:
    """Make an existing folder a model's that has no weights yet. Raises StorageError."""
    write_tokenizer(folder, tokenizer)
    write_config(folder, NativeConfig(format=FORMAT, architecture=settings, parameters=parameters))


def write_weights(folder: Path, model: LanguageModel, trained: TrainedOn) -> None:
    """Replace the weights of a model folder, and say where they come from. Raises StorageError."""
    config = read_config(folder)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if is_tied(config.architecture):
        del state[HEAD]  # the same tensor as the embedding: kept once
    write_bytes(folder / WEIGHTS, safetensors.torch.save(state), within=folder)
    write_config(folder, msgspec.structs.replace(config, trained=trained))


def write_trained(folder: Path, trained: TrainedOn) -> None:
    """Say anew where the weights of a model folder come from; they stay as they are. Raises StorageError."""
    write_config(folder, msgspec.structs.replace(read_config(folder), trained=trained))


def write_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write a model folder's vocabulary. Raises StorageError."""
    write_text(folder / TOKENIZER, json.dumps(tokenizer.to_dict(), ensure_ascii=False) + "\n", within=folder)


def write_config(folder: Path, config: NativeConfig) -> None:
    """Write a model folder's `config.json`. Raises StorageError."""
    write_bytes(folder / CONFIG, msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n", within=folder)


def filled(settings: ArchitectureSettings, weights: dict[str, Tensor]) -> LanguageModel:
    """Build the net and give it `weights`, which fit: all of them, so that no first ones need be drawn."""
    with torch.random.fork_rng(devices=[]), WithoutNumbers():
        model = build(settings)
    model.load_state_dict(weights)
    return model


class WithoutNumbers(TorchFunctionMode):
    """Draws no random numbers, which would be overwritten; on the meta device torch imports its compiler for them."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_"):
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return func(*args, **(kwargs or {}))


class _Shaped(Protocol):
    """A tensor, or the place of one."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def _check_fit(settings: ArchitectureSettings, weights: Mapping[str, _Shaped], folder: Path) -> None:
    """Raise CheckpointError where `weights` are not those of a net of these settings."""
    try:
        with torch.device("meta"), WithoutNumbers():  # shapes alone: settings may ask for more than there is memory
            wanted = build(settings).state_dict()
    except UsageError as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be: {error.message}", "the file is damaged") from None
    missing, extra = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    other = [name for name in wanted.keys() & weights.keys() if tuple(wanted[name].shape) != tuple(weights[name].shape)]
    if missing or extra or other:
        found = "; ".join(
            f"{words} {', '.join(names[:3])}"
            for words, names in (("missing:", missing), ("unknown:", extra), ("other shape:", other))
            if names
        )
        raise CheckpointError(
            f"the weights of {folder.name} do not fit its config.json ({found})", "copy the folder again"
        )
