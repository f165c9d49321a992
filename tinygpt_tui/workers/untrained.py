"""A model's untrained copy: the same architecture with the weights that its training started from."""

from __future__ import annotations

from pathlib import Path

import torch

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.model_config import NativeConfig


def first_weights(folder: Path, config: NativeConfig) -> LanguageModel:
    """Build the model of `config` with its initial weights, drawn from its run's seed, or from 0 without a run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_seed(folder))
        return build(config.architecture).eval()


def _seed(folder: Path) -> int:
    try:
        return RunFolder(folder).read_settings().training.seed
    except TinyGPTError:
        return 0
