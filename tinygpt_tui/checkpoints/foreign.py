"""A foreign checkpoint becomes a model: its tensors in our net, what headers do not tell measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.checkpoints.calibrate import calibrated
from tinygpt_tui.checkpoints.layouts.base import Weights
from tinygpt_tui.checkpoints.native import Checkpoint, WithoutNumbers, filled, load
from tinygpt_tui.checkpoints.opening import Described, Typed, check_weights, describe, is_native
from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.settings.architecture import ArchitectureSettings


def open_checkpoint(path: Path, device: torch.device | str = "cpu", typed: Typed | None = None) -> Checkpoint:
    """Open a model folder of ours, or a checkpoint of any known layout.

    Raises CheckpointError where it is damaged or unknown, UsageError for typed settings that cannot be, NotFoundError,
    StorageError.
    """
    if is_native(path):
        return load(path, device)
    described, tensors = settle(describe(path, typed), typed.corpus if typed else "")
    model = filled(described.settings, tensors).to(device).eval()
    return Checkpoint(described.config, model, described.tokenizer, described.layout.name, described.facts)


def settle(described: Described, corpus: str = "") -> tuple[Described, dict[str, Tensor]]:
    """Answer what headers do not tell by measuring, on `corpus` where one is named; return the weights with it.

    Raises CheckpointError where the tensors do not make the net, StorageError.
    """
    assembled = described.assembled()
    wanted = _shapes(described.settings, described.name)  # the same for every answer: what shapes tell is no question
    described = calibrated(described, lambda one: filled(one.settings, _tensors(one, assembled, wanted)), corpus)
    return described, _tensors(described, assembled, wanted)


def model_of(described: Described) -> LanguageModel:
    """Build the net of a checkpoint whose questions are answered, with its weights, in evaluation mode.

    Raises CheckpointError where the tensors do not make it, StorageError.
    """
    return filled(described.settings, tensors_of(described)).eval()


def tensors_of(described: Described) -> dict[str, Tensor]:
    """Read the weights as the net wants them. Raises CheckpointError where they do not make it."""
    return _tensors(described, described.assembled(), _shapes(described.settings, described.name))


def _tensors(described: Described, assembled: Weights, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    weights = described.laid_out(assembled)
    return {
        name: torch.from_numpy(numbers if numbers.flags.writeable else numbers.copy())
        for name, numbers in check_weights(described, weights, wanted).items()
    }


def _shapes(settings: ArchitectureSettings, name: str) -> Mapping[str, tuple[int, ...]]:
    try:
        # Shapes alone: nothing is taken of memory before all of them fit.
        with torch.device("meta"), WithoutNumbers():
            net = build(settings)
    except UsageError as error:
        raise CheckpointError(f"{name} cannot be: {error.message}", error.hint) from None
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
