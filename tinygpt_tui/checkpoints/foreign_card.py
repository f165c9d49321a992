"""The card of another program's checkpoint: from headers alone, each file looked at once; no torch here."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import NEEDS_TORCH, ModelCard, problem_card
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.foreign.source import holds_weights, may_hold_weights, weights_in
from tinygpt_tui.packages import torch_version
from tinygpt_tui.settings.architecture import name_of


def is_foreign(path: Path) -> bool:
    """Whether something in the models folder may be another program's: a file of theirs, or a folder with one."""
    if path.name.startswith("."):
        return False
    if is_folder(path):
        try:
            return bool(weights_in(path))
        except TinyGPTError:
            return holds_weights(path)  # several, or damaged: its card says so
    return may_hold_weights(path) and is_file(path)


def foreign_card(path: Path) -> ModelCard:
    """Return its card; one that cannot be opened gets a card that says why."""
    return _card(path, bool(torch_version()), *_stamp(path), *_stamp(paths.measured_file()))


@functools.lru_cache(maxsize=512)
def _card(path: Path, *stamp: float) -> ModelCard:
    """Read the card; `stamp` changes when the files do, or what was measured of them, or torch comes."""
    from tinygpt_tui.checkpoints.engines import no_engine
    from tinygpt_tui.foreign.calibration_cache import inspect_calibrated

    name = path.name
    try:
        inspection = inspect_calibrated(path)
        settings, size = inspection.settings, inspection.source.size_bytes
    except Exception as error:  # whatever it is: the other models are there all the same
        return problem_card(path, "yours", error, layout="unknown")
    unusable = no_engine(settings)
    return ModelCard(
        name=name,
        path=str(path),
        origin="yours",
        architecture=name_of(settings),
        parameters=inspection.config.parameters,
        block_size=settings.block_size,
        vocab_size=settings.vocab_size,
        size_bytes=size,
        layout=inspection.layout.name,
        problem=NEEDS_TORCH if unusable else "",
        hint=unusable.hint if unusable else "",
        facts=inspection.facts,
    )


def _stamp(path: Path) -> tuple[float, ...]:
    """When the file, or anything in the folder, was last written."""
    try:
        if is_file(path):
            status = path.stat()
            return status.st_mtime, float(status.st_size)
        with os.scandir(path) as entries:
            return tuple(sorted(entry.stat().st_mtime for entry in entries))
    except OSError:
        return ()
