"""What an adapter's file holds, and how its numbers are added to its base's weights; no torch here.

For each matrix W (out, in) two small ones, A (rank, in) and B (out, rank): the model's matrix is W + B A. Tokens that
the base lacks have their rows in it, whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.architectures.pair_rows import PAIRS, rearranged
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.model_config import HEAD

DOWN, UP, ROWS = ".lora_A", ".lora_B", ".new_rows"  # after a tensor's name
Weights = Mapping[str, NDArray[Any]]
Shapes = Mapping[str, tuple[int, ...]]


class Part(NamedTuple):
    """The tensors of an adapter's file, and how strong it is in a mix."""

    tensors: Weights
    weight: float = 1.0


def is_adapted(name: str, matrices: str) -> bool:
    """Whether an adapter of these `matrices` (all, attention, mlp) changes the blocks' matrix `name`."""
    return matrices == "all" or f".{matrices.replace('attention', 'attn')}." in name


def hash_of(weights: Weights) -> str:
    """Return the SHA-256 of a model's weights as they are computed with: float32, calibrated."""
    found = hashlib.sha256()
    for name in sorted(weights):
        numbers = np.ascontiguousarray(weights[name], dtype=np.float32)
        found.update(f"{name} {numbers.shape}".encode())
        found.update(numbers.data)
    return found.hexdigest()


def shapes_in(file: Mapping[str, Any], base: Weights, wanted: Shapes) -> Shapes:
    """Return the shapes that the tensors in the `file` of an adapter must have, whatever their ranks are.

    `base` are its base's weights, `wanted` the shapes of the model that it makes of them.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in wanted.items():
        before = base[name].shape if name in base else shape
        if before != shape and not name.endswith(PAIRS) and name + ROWS in file:
            shapes[name + ROWS] = (shape[0] - before[0], *shape[1:])
        if len(shape) == 2 and (down := file.get(name + DOWN)) is not None:
            shapes |= {name + DOWN: (*down.shape[:1], shape[1]), name + UP: (shape[0], *down.shape[:1])}
    return shapes


def adapted(
    base: Weights, old: ArchitectureSettings, new: ArchitectureSettings, wanted: Shapes, parts: Sequence[Part]
) -> dict[str, NDArray[Any]]:
    """Return the weights of a model that adapters make of `base`, which fit; a tied head is left out.

    `old` are the settings of the base, `new` those of the model, which may have more tokens.
    """
    weights = {}
    for name, numbers in base.items():
        if old.tied_head and name == HEAD:
            continue
        numbers = np.asarray(numbers, dtype=np.float32)
        if name.endswith(PAIRS) and old.vocab_size != new.vocab_size:
            numbers = rearranged(numbers, wanted[name][0], old.vocab_size, new.vocab_size)
        for tensors, weight in parts:
            if name + ROWS in tensors:
                numbers = np.concatenate((numbers, tensors[name + ROWS]), dtype=np.float32)
            if name + UP in tensors:
                numbers = numbers + np.float32(weight) * (tensors[name + UP] @ tensors[name + DOWN])
        weights[name] = numbers
    return weights
