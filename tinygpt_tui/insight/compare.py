"""The weights of two models side by side: how far each tensor of one is from the other's; no torch.

Read tensor by tensor, so that two models of gigabytes take the memory of their two largest tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.card import WEIGHTS, is_native, read_config
from tinygpt_tui.checkpoints.stored import read_folder
from tinygpt_tui.checkpoints.weights import weight_places
from tinygpt_tui.events.generation import Compared, GenerationEnded, GenerationEvent, TensorCompared
from tinygpt_tui.foreign.calibration_cache import inspect_calibrated
from tinygpt_tui.foreign.readers.safetensors_file import read_tensors
from tinygpt_tui.settings.model_config import HEAD

AT_ONCE = 64  # tensors in one event


class CompareJob:
    """One comparison: iterate for its events, Compared and a GenerationEnded; `stop` ends it at the next tensor."""

    def __init__(self, model: Path, other: Path, *, job: int = 0) -> None:
        self._model, self._other, self.job = model, other, job
        self._stopped = False

    def stop(self) -> None:
        """End at the next tensor."""
        self._stopped = True

    def __iter__(self) -> Iterator[GenerationEvent]:
        """Yield the events. Raises CheckpointError, StorageError."""
        rows: list[TensorCompared] = []
        for row in compare(weights_at(self._model), weights_at(self._other)):
            rows.append(row)
            if len(rows) == AT_ONCE:
                yield Compared(self.job, tuple(rows))
                rows = []
            if self._stopped:
                break
        yield Compared(self.job, tuple(rows))
        reason: Any = "stopped" if self._stopped else "length"
        yield GenerationEnded(job=self.job, reason=reason, tokens=0, seconds=0.0, seconds_to_first=None)


class Weights(Protocol):
    """Tensors by name; shapes are known before the numbers are read."""

    shapes: Mapping[str, tuple[int, ...]]

    def read(self, name: str) -> NDArray[np.float64]: ...


class SafetensorsWeights:
    """The weights of a model folder of ours."""

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError, StorageError."""
        self._path, self._places = folder / WEIGHTS, weight_places(folder)
        self.shapes: Mapping[str, tuple[int, ...]] = {name: place.shape for name, place in self._places.items()}

    def read(self, name: str) -> NDArray[np.float64]:
        return read_tensors(self._path, {name: self._places[name]})[name].astype(np.float64)


class OtherWeights:
    """The weights of another program's checkpoint, or of a base and its adapter, under our names."""

    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self._tensors = tensors
        self.shapes: Mapping[str, tuple[int, ...]] = {name: one.shape for name, one in tensors.items()}

    def read(self, name: str) -> NDArray[np.float64]:
        numbers: NDArray[np.float64] = self._tensors[name].astype(np.float64)
        return numbers


def weights_at(path: Path) -> Weights:
    """Return the weights of the model at `path`, ours or another program's. Raises CheckpointError, StorageError."""
    if path.exists() and not is_native(path):
        return OtherWeights(inspect_calibrated(path).weights())
    if not path.exists() or (config := read_config(path)).adapter is None:
        return SafetensorsWeights(path)
    weights = read_folder(path).weights
    tied = config.architecture.tied_head  # the same tensor as the embedding: compared once
    return OtherWeights({name: one for name, one in weights.items() if not (tied and name == HEAD)})


def compare(ours: Weights, theirs: Weights) -> Iterator[TensorCompared]:
    """Yield a row for each tensor that either has, in the order of the first's names, the other's own last."""
    names = [*ours.shapes, *(name for name in theirs.shapes if name not in ours.shapes)]
    for name in names:
        shape, other = ours.shapes.get(name), theirs.shapes.get(name)
        if shape is None or shape != other:
            yield TensorCompared(name, shape, other)
            continue
        yield TensorCompared(name, shape, other, *distance_of(ours.read(name).ravel(), theirs.read(name).ravel()))


def distance_of(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float | None]:
    """Return |a - b| as a share of |a|, and the cosine of the angle between a and b, both (N,); None if one is zero.

    >>> distance_of(np.array([3.0, 4.0]), np.array([3.0, 4.0]))
    (0.0, 1.0)
    >>> distance_of(np.array([1.0, 0.0]), np.array([0.0, 2.0]))[1]
    0.0
    """
    length, other = math.sqrt(float(a @ a)), math.sqrt(float(b @ b))
    between = math.sqrt(float((a - b) @ (a - b)))
    share = between / length if length else (0.0 if not between else math.inf)
    return share, float(a @ b) / (length * other) if length and other else None
