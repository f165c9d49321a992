"""Which engine runs a net: the native one where it was built and knows the net, else torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, MissingPackageError, UsageError
from tinygpt_tui.foreign.losses import Forward
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import Library, load_library
from tinygpt_tui.native.weights import arrange, check_sizes, shapes, supports
from tinygpt_tui.packages import import_torch, missing
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings, name_of


def native_library(settings: ArchitectureSettings) -> Library | None:
    """Return the native engine's library where it runs nets of these settings."""
    return load_library() if supports(settings) else None


def no_engine(settings: ArchitectureSettings) -> MissingPackageError | None:
    """Return why no engine here runs nets of these settings: torch is missing; None where one does."""
    torch_missing = missing("torch", purpose_of(settings))  # asked first: it is quick
    return torch_missing if torch_missing is not None and native_library(settings) is None else None


def torch_for(settings: ArchitectureSettings, threads: int | None = None) -> None:
    """Import torch for a net that it alone runs here. Raises MissingPackageError."""
    import_torch(purpose_of(settings), threads)


def purpose_of(settings: ArchitectureSettings) -> str:
    """Return what needs torch, as the subject of a sentence."""
    if supports(settings):
        return "decoding without the native engine, which was not built here,"
    if isinstance(settings, GPTSettings):
        return "a gpt with settings that the native engine does not know"
    return f"a model of the architecture {name_of(settings)}"


def forward_of(settings: ArchitectureSettings, weights: Mapping[str, NDArray[Any]], name: str) -> Forward:
    """Return what computes the logits of a net with these weights, which fit.

    Raises CheckpointError where the settings cannot be, UsageError, MissingPackageError.
    """
    if isinstance(settings, GPTSettings) and (cap := settings.logit_cap):
        uncapped = forward_of(_uncapped(settings), weights, name)
        return lambda ids: cap * np.tanh(uncapped(ids) / np.float32(cap))
    library = native_library(settings)
    if library is not None and isinstance(settings, GPTSettings):
        engine = NativeEngine(arrange(settings, weights, name), library)
        return lambda ids: np.stack([engine.every(row.tolist()) for row in ids])
    torch_for(settings)
    from tinygpt_tui.checkpoints.torch_net import filled, tensors_of, torch_forward

    return torch_forward(filled(settings, tensors_of(weights)))


def _uncapped(settings: GPTSettings) -> GPTSettings:
    """Return the net without a cap on its logits, which has the same weights and which the native engine may know."""
    return msgspec.structs.replace(settings, logit_cap=0.0)


def shapes_of(settings: ArchitectureSettings, name: str) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of every tensor in the state dict, a tied head under both of its names.

    Raises CheckpointError, which says `name`, where the settings cannot be; MissingPackageError.
    """
    if isinstance(settings, GPTSettings) and supports(_uncapped(settings)):
        check_sizes(settings, name)
        return shapes(settings)
    torch_for(settings)
    from tinygpt_tui.checkpoints.torch_net import torch_shapes

    try:
        return torch_shapes(settings)
    except UsageError as error:
        raise CheckpointError(f"the settings of {name} are invalid: {error.message}", error.hint) from None
