"""A checkpoint of any layout becomes a model of torch."""

from __future__ import annotations

from pathlib import Path

import torch

from tinygpt_tui.checkpoints.native import Checkpoint, checkpoint_of
from tinygpt_tui.checkpoints.opening import Typed
from tinygpt_tui.checkpoints.stored import read_model


def open_checkpoint(path: Path, device: torch.device | str = "cpu", typed: Typed | None = None) -> Checkpoint:
    """Open a model folder of ours, or a checkpoint of any known layout. Raises as `read_model`."""
    return checkpoint_of(read_model(path, typed), device)
