"""One checkpoint of a run's timeline: weights in half precision, or rounded row by row; no torch here.

A safetensors file of float16, or of int8 with a float32 scale for each row of a matrix beside it (`NAME.scales`).
Its metadata says of which step it is, and what the validation loss was when it was last measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, NotFoundError
from tinygpt_tui.files import write_bytes
from tinygpt_tui.foreign.readers.safetensors_file import read_safetensors, read_tensors
from tinygpt_tui.foreign.tensors import TensorPlace

SCALES = ".scales"
LARGEST = 127  # of int8
STEPS = 6  # of a rounded row's root mean square: about five bits a weight once compressed, 0.005 nats at most
Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Stamp:
    """Of which step a moment is; `validation_loss`, nats per character, was measured at `measured_at` or earlier."""

    step: int
    validation_loss: float | None = None
    measured_at: int | None = None


def write_snapshot(
    path: Path,
    tensors: Tensors,
    stamp: Stamp,
    precision: Literal["half", "int8"] = "half",
    *,
    within: Path | None = None,
) -> None:
    """Write a state dict, whole or not at all; `within` as for `whole_file`. Raises StorageError."""
    stored: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if precision == "int8" and tensor.ndim == 2:
            root_mean_square = np.sqrt(np.square(tensor).mean(axis=1, keepdims=True))
            scales = np.maximum(root_mean_square / STEPS, np.abs(tensor).max(axis=1, keepdims=True) / LARGEST)
            stored[name] = np.rint(tensor / np.where(scales > 0, scales, 1)).astype(np.int8)
            stored[name + SCALES] = scales.astype(np.float32)
        else:
            largest = float(np.finfo(np.float16).max)
            stored[name] = np.clip(tensor, -largest, largest).astype(np.float16)
    metadata = {"step": str(stamp.step)}
    if stamp.validation_loss is not None and stamp.measured_at is not None:
        metadata |= {"validation_loss": repr(stamp.validation_loss), "measured_at": str(stamp.measured_at)}
    write_bytes(path, safetensors.numpy.save(stored, metadata), within=within)


def read_snapshot(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the state dict of a moment. Raises NotFoundError, CheckpointError where it is damaged, StorageError."""
    stored = read_tensors(path, _header(path)[0])
    tensors = {}
    for name, tensor in stored.items():
        if name.endswith(SCALES):
            continue
        whole = tensor.astype(np.float32)
        if tensor.dtype == np.int8:
            if name + SCALES not in stored:
                raise _damaged(path, f"{name} has no scales")
            whole *= stored[name + SCALES]
        tensors[name] = whole
    return tensors


def read_stamp(path: Path) -> Stamp:
    """Return of which step a moment is, without reading its weights. Raises as `read_moment`."""
    said = _header(path)[1]
    try:
        loss, measured_at = said.get("validation_loss"), said.get("measured_at")
        return Stamp(
            int(said["step"]), None if loss is None else float(loss), None if measured_at is None else int(measured_at)
        )
    except (ValueError, KeyError) as error:
        raise _damaged(path, error) from None


def _header(path: Path) -> tuple[dict[str, TensorPlace], dict[str, str]]:
    try:
        return read_safetensors(path)
    except NotFoundError:
        raise _gone(path) from None
    except CheckpointError as error:
        raise CheckpointError(error.message, _HINT) from None


def _gone(path: Path) -> NotFoundError:
    return NotFoundError(f"{path} is gone", "its run may have been restarted; open its timeline again")


_HINT = "delete that file: the run's other checkpoints do without it"


def _damaged(path: Path, error: object) -> CheckpointError:
    return CheckpointError(f"{path} is damaged: {error}", _HINT)
