"""Saves another program's model as a model folder, with the record of what was detected and how; no torch here."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import safetensors.numpy

from tinygpt_tui.checkpoints.card import CONFIG, ORIGIN, WEIGHTS, Origin, write_config
from tinygpt_tui.checkpoints.stored import StoredModel
from tinygpt_tui.checkpoints.vocabulary import write_tokenizer
from tinygpt_tui.errors import UsageError
from tinygpt_tui.files import is_file, is_folder, whole_folder, write_bytes
from tinygpt_tui.settings.model_config import HEAD


def import_model(stored: StoredModel, folder: Path, path: Path) -> None:
    """Write a model folder for a checkpoint that was read from `path`.

    Raises UsageError where there is such a model already, StorageError.
    """
    if is_file(folder / CONFIG):
        raise UsageError(f"a model named {folder.name} already exists", "choose another name")
    if is_folder(folder) and any(folder.iterdir()):
        raise UsageError(f"{folder} already exists and is not a model", "delete it, or choose another name")
    state = {name: np.ascontiguousarray(numbers, dtype=np.float32) for name, numbers in stored.weights.items()}
    if stored.config.architecture.tied_head:
        state.pop(HEAD, None)
    origin = Origin(layout=stored.layout, path=str(path), facts=stored.facts)
    with whole_folder(folder) as place:
        write_tokenizer(place, stored.tokenizer)
        write_bytes(place / ORIGIN, msgspec.json.format(msgspec.json.encode(origin), indent=2) + b"\n")
        write_bytes(place / WEIGHTS, safetensors.numpy.save(state))
        write_config(place, stored.config)
