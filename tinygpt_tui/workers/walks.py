"""Nets opened to be walked through, by torch: only its own pass shows each step. Imported when first asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinygpt_tui.checkpoints.card import WEIGHTS
from tinygpt_tui.checkpoints.opening import is_native
from tinygpt_tui.events.requests import Trace
from tinygpt_tui.files import is_file

if TYPE_CHECKING:
    from tinygpt_tui.checkpoints.native import Checkpoint
    from tinygpt_tui.insight.trace import TraceJob

OPEN_NETS = 2  # kept in memory; the one unused longest goes first


class Walks:
    """Jobs that walk through a forward pass."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, bool], tuple[float, Checkpoint]] = {}

    def job(self, request: Trace) -> TraceJob:
        """Return the job. Raises CheckpointError where the model cannot be opened."""
        from tinygpt_tui.insight.trace import TraceJob

        opened = self._net(request.model, request.untrained)
        return TraceJob(opened.model, opened.tokenizer, request.text, job=request.job)

    def _net(self, model: str, untrained: bool) -> Checkpoint:
        """Return the net; its weights are read again where the file has changed (a model in training)."""
        path = Path(model)
        weights = path if is_file(path) else path / WEIGHTS
        changed_at = weights.stat().st_mtime if weights.exists() else 0.0
        kept = self._opened.pop((model, untrained), None)
        if kept is None or kept[0] != changed_at:
            kept = (changed_at, _open(path, untrained))
        self._opened[model, untrained] = kept
        while len(self._opened) > OPEN_NETS:
            del self._opened[next(iter(self._opened))]
        return kept[1]


def _open(path: Path, untrained: bool) -> Checkpoint:
    import torch

    from tinygpt_tui.checkpoints.card import read_config
    from tinygpt_tui.checkpoints.foreign import open_checkpoint
    from tinygpt_tui.checkpoints.native import Checkpoint
    from tinygpt_tui.checkpoints.opening import describe
    from tinygpt_tui.checkpoints.remembered import recalled
    from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
    from tinygpt_tui.workers.twin import first_weights

    torch.set_num_threads(1)
    if not untrained:
        return open_checkpoint(path)
    if is_native(path):
        config = read_config(path)
        return Checkpoint(config, first_weights(path, config), open_tokenizer(path, config))
    described = describe(path)
    described = recalled(described) or described
    return Checkpoint(described.config, first_weights(path, described.config), described.tokenizer)
