"""A foreign checkpoint becomes a model: its tensors in our net, what headers do not tell measured."""

from __future__ import annotations

from pathlib import Path

import torch

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.checkpoints.native import EMBEDDING, HEAD, Checkpoint, filled, load
from tinygpt_tui.checkpoints.opening import Described, Typed, check_weights, describe, is_native
from tinygpt_tui.errors import CheckpointError, UsageError


def open_checkpoint(path: Path, device: torch.device | str = "cpu", typed: Typed | None = None) -> Checkpoint:
    """Open a model folder of ours, or a checkpoint of any known layout.

    Raises CheckpointError where it is damaged or unknown, UsageError for typed settings that cannot be, NotFoundError,
    StorageError.
    """
    if is_native(path):
        return load(path, device)
    described = describe(path, typed)
    model = model_of(described).to(device).eval()
    return Checkpoint(described.config, model, described.tokenizer, described.layout.name, described.facts)


def model_of(described: Described) -> LanguageModel:
    """Build the net of a checkpoint and fill it. Raises CheckpointError where the tensors do not make it."""
    try:
        with torch.device("meta"):  # shapes alone: nothing is taken of memory before all of them fit
            net = build(described.settings)
    except UsageError as error:
        raise CheckpointError(f"{described.name} cannot be: {error.message}", error.hint) from None
    wanted = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    weights = described.weights()
    if getattr(described.settings, "tied_head", False) and EMBEDDING in weights:
        weights[HEAD] = weights[EMBEDDING]
    tensors = {
        name: torch.from_numpy(numbers.copy() if not numbers.flags.writeable else numbers)
        for name, numbers in check_weights(described, weights, wanted).items()
    }
    return filled(described.settings, tensors)
