"""A model folder's weights as the native engine reads them; no torch here."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.checkpoints.calibrated import folded
from tinygpt_tui.checkpoints.card import WEIGHTS, read_config
from tinygpt_tui.errors import CheckpointError, NotFoundError
from tinygpt_tui.foreign.readers.safetensors_file import read_safetensors, read_tensors
from tinygpt_tui.foreign.tensors import TensorPlace
from tinygpt_tui.native.weights import (
    NativeWeights,
    Precision,
    arrange,
    check_fit,
    check_sizes,
    no_floats,
    shapes,
)
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.model_config import EMBEDDING, HEAD


def weight_places(folder: Path) -> dict[str, TensorPlace]:
    """Return where the weights of a model folder of ours are. Raises CheckpointError, StorageError."""
    try:
        places, _ = read_safetensors(folder / WEIGHTS)
    except NotFoundError:
        raise CheckpointError(f"{folder.name} has no weights yet", "its run has just started; try again soon") from None
    except CheckpointError as error:
        again = "copy the file again, or train the model again"
        raise CheckpointError(f"{folder.name}: {error.message}", again) from None
    return places


def read_weights(folder: Path, precision: Precision = "fp32") -> NativeWeights:
    """Read a model folder; "int8" rounds its matrices.

    Raises CheckpointError where a part is missing, damaged, or does not fit; StorageError.
    """
    config = read_config(folder)
    settings: object = config.architecture
    if not isinstance(settings, GPTSettings) or not settings.is_standard:
        raise CheckpointError(f"{folder.name} is not a GPT that gpt.c decodes", "the torch engine reads it")
    check_sizes(settings, folder.name)
    places = weight_places(folder)
    if strange := next((place for place in places.values() if not place.is_float), None):
        raise no_floats(folder.name, strange.name, strange.kind)
    tied = {HEAD: places[EMBEDDING]} if settings.tied_head and EMBEDDING in places else {}
    check_fit(shapes(settings), {**places, **tied}, folder.name)  # before anything is read
    config, tensors = folded(config, read_tensors(folder / WEIGHTS, places))
    assert isinstance(config.architecture, GPTSettings)
    return arrange(config.architecture, tensors, folder.name, precision)
