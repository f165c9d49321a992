"""A model folder's weights as the native engine reads them; no torch here."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.checkpoints.card import WEIGHTS, read_config
from tinygpt_tui.checkpoints.safetensors_files import read_tensors, weights_of
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.native.weights import (
    EMBEDDING,
    HEAD,
    NativeWeights,
    Precision,
    arrange,
    check_fit,
    check_sizes,
    no_floats,
    shapes,
)
from tinygpt_tui.settings.architecture import GPTSettings


def read_weights(folder: Path, precision: Precision = "fp32") -> NativeWeights:
    """Read a model folder; "int8" rounds its matrices.

    Raises CheckpointError where a part is missing, damaged, or does not fit; StorageError.
    """
    settings: object = read_config(folder).architecture
    if not isinstance(settings, GPTSettings) or not settings.usual:
        raise CheckpointError(f"{folder.name} is not a GPT that gpt.c decodes", "the torch engine reads it")
    check_sizes(settings, folder.name)
    places = weights_of(folder)
    if strange := next((place for place in places.values() if not place.is_float), None):
        raise no_floats(folder.name, strange.name, strange.kind)
    tied = {HEAD: places[EMBEDDING]} if settings.tied_head and EMBEDDING in places else {}
    check_fit(shapes(settings), {**places, **tied}, folder.name)  # before anything is read
    return arrange(settings, read_tensors(folder / WEIGHTS, places), folder.name, precision)
