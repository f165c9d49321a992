"""Models opened by torch to trace a forward pass: only torch's own pass shows each step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinygpt_tui.checkpoints.card import is_native, read_config
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.events.requests import Trace
from tinygpt_tui.foreign.calibration_cache import inspect_calibrated
from tinygpt_tui.packages import import_torch
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.workers.current_weights import WeightsNow, weights_now
from tinygpt_tui.workers.model_cache import LRUCache

if TYPE_CHECKING:
    from tinygpt_tui.checkpoints.native import Checkpoint
    from tinygpt_tui.insight.trace import TraceJob

OPEN_NETS = 2  # at most this many stay in memory


class Traces:
    """Creates the jobs that trace a forward pass."""

    def __init__(self) -> None:
        self._nets = LRUCache[tuple[Path, bool], "WeightsNow", "Checkpoint"](lambda nets: len(nets) > OPEN_NETS)

    def job(self, request: Trace) -> TraceJob:
        """Return the job. Raises CheckpointError if the model cannot be opened, MissingPackageError."""
        import_torch("tracing a model", threads=1)
        from tinygpt_tui.insight.trace import TraceJob

        opened = self._net(request.model, request.untrained)
        return TraceJob(opened.model, opened.tokenizer, request.text, job=request.job)

    def _net(self, model: str, untrained: bool) -> Checkpoint:
        """Return the model; its weights are read again if there are newer ones (a model in training)."""
        path = Path(model)
        now = weights_now(path)
        return self._nets.open((path, untrained), now, lambda: _untrained(path) if untrained else _open(path, now))[0]


def _open(path: Path, now: WeightsNow) -> Checkpoint:
    from tinygpt_tui.checkpoints.native import load_snapshot, open_checkpoint
    from tinygpt_tui.checkpoints.snapshot import read_snapshot

    if now.file == RunFolder(path).live_weights:
        try:
            return load_snapshot(path, read_snapshot(now.file))
        except NotFoundError:  # its best has just become its newest
            pass
    return open_checkpoint(path)


def _untrained(path: Path) -> Checkpoint:
    from tinygpt_tui.checkpoints.native import Checkpoint
    from tinygpt_tui.workers.untrained import first_weights

    if is_native(path):
        config = read_config(path)
        return Checkpoint(config, first_weights(path, config), open_tokenizer(path, config))
    inspection = inspect_calibrated(path)
    return Checkpoint(inspection.config, first_weights(path, inspection.config), inspection.tokenizer)
