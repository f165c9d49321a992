"""The weights that a model has now: the newest ones of a live run, else its best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui.checkpoints.card import CONFIG, WEIGHTS
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.files import is_file
from tinygpt_tui.runs.folder import LIVE, RunFolder


@dataclass(frozen=True)
class WeightsNow:
    """Where the current weights of a model are; unequal if others are to be read."""

    file: Path
    changed_at: float
    in_training: bool


def weights_now(path: Path) -> WeightsNow:
    """Return the current weights of the model at `path`: in training its newest, else its best."""
    if is_file(path):
        return WeightsNow(path, _changed_at(path), in_training=False)
    run = RunFolder(path)
    live = _is_live(run)
    file = run.live_weights if live and is_file(run.live_weights) else path / WEIGHTS
    if not file.exists():
        file = path / CONFIG  # a mix of adapters is its config
    return WeightsNow(file, _changed_at(file), live)


def _is_live(run: RunFolder) -> bool:
    try:
        status = run.read_status()
    except TinyGPTError:
        return False
    if status.state not in LIVE:
        return False
    from tinygpt_tui.runs.control import is_alive  # late: the first token need not wait for psutil

    return is_alive(status)


def _changed_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
