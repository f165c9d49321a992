"""A foreign model kept as one of ours: a model folder, and beside it what was taken from where."""

from __future__ import annotations

from pathlib import Path

import msgspec
import safetensors.numpy

from tinygpt_tui.checkpoints.card import CONFIG, ORIGIN, WEIGHTS
from tinygpt_tui.checkpoints.facts import Origin
from tinygpt_tui.checkpoints.native import HEAD, Checkpoint, write_config, write_tokenizer
from tinygpt_tui.errors import UsageError
from tinygpt_tui.files import is_file, is_folder, whole_folder, write_bytes
from tinygpt_tui.settings.architecture import is_tied


def keep(checkpoint: Checkpoint, folder: Path, path: Path) -> None:
    """Write a model folder for a checkpoint that was opened at `path`.

    Raises UsageError where there is such a model already, StorageError.
    """
    if is_file(folder / CONFIG):
        raise UsageError(f"there is a model called {folder.name}", "choose another name")
    if is_folder(folder) and any(folder.iterdir()):
        raise UsageError(f"{folder} is in the way: it is no model", "delete it, or choose another name")
    state = {name: tensor.detach().cpu().numpy() for name, tensor in checkpoint.model.state_dict().items()}
    if is_tied(checkpoint.config.architecture):
        state.pop(HEAD, None)
    origin = Origin(layout=checkpoint.layout, path=str(path), facts=checkpoint.facts)
    with whole_folder(folder) as place:
        write_tokenizer(place, checkpoint.tokenizer)
        write_bytes(place / ORIGIN, msgspec.json.format(msgspec.json.encode(origin), indent=2) + b"\n")
        write_bytes(place / WEIGHTS, safetensors.numpy.save(state))
        write_config(place, checkpoint.config)
