"""Tensors whose numbers are not in the file as they are: quantised ones, and sparse ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.tensors import TensorPlace, check_inside, read, rows

MOST_MADE = 1 << 24  # numbers of one sparse tensor


def dequantized(
    plain: TensorPlace, scale: float | TensorPlace, zero_point: int | TensorPlace, axis: int | None
) -> TensorPlace:
    """Return the floats (N, …) that whole numbers stand for: less the zero point, times the scale.

    Both are numbers, or (shape[axis],) along one dimension. The place in the file is that of the whole numbers.
    """

    def numbers(told: float | TensorPlace) -> NDArray[np.float32]:
        if not isinstance(told, TensorPlace):
            return np.array(told, dtype=np.float32)
        if axis is None or told.shape != (plain.shape[axis],):
            raise CheckpointError(f"{plain.file.name}: {plain.name} is quantised with other sizes", "")
        check_inside(told)
        shape = [-1 if at == axis else 1 for at in range(len(plain.shape))]
        return rows(told).astype(np.float32).reshape(shape)

    def make() -> NDArray[np.float32]:
        made = (rows(plain).astype(np.float32) - numbers(zero_point)) * numbers(scale)
        return np.asarray(made, dtype=np.float32)

    return dataclasses.replace(plain, kind="F32", make=make)


def from_sparse(name: str, layout: str, parts: Sequence[TensorPlace], shape: tuple[int, ...]) -> TensorPlace:
    """Return the whole of a sparse tensor, zero where it has no number.

    `parts` are indices (dimensions, N) and values (N,) of torch's COO, or rows' ends, columns and values of CSR.
    Raises CheckpointError where it is another layout, or would be large.
    """
    if layout not in _SPARSE or len(parts) != _SPARSE[layout] or len(shape) < 1:
        raise CheckpointError(
            f"{name} is a sparse tensor ({layout}) that is not read", "save it dense: tensor.to_dense()"
        )
    numel, values = math.prod(shape), parts[-1]
    if numel > MOST_MADE:
        raise CheckpointError(f"{name} is a sparse tensor of {numel:,} numbers, too many", "save it dense")
    make = partial(_dense, name, layout, parts, shape)
    return TensorPlace(name, values.file, "F32", shape, values.origin, numel, make=make)


_SPARSE = {"torch.sparse_coo": 2, "torch.sparse_csr": 3}


def _dense(name: str, layout: str, parts: Sequence[TensorPlace], shape: tuple[int, ...]) -> NDArray[np.float32]:
    for part in parts:
        check_inside(part)
    places, values = [rows(part) for part in parts[:-1]], read(parts[-1])
    try:
        return _spread(layout, places, values, shape)
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"{parts[0].file.name}: {name} is damaged: {error}", "copy the file again") from None


def _spread(
    layout: str, places: Sequence[NDArray[Any]], values: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    if layout == "torch.sparse_coo":
        at = tuple(places[0])
    else:
        ends, columns = places
        counts = np.diff(ends)
        if len(ends) != shape[0] + 1 or len(shape) != 2 or (counts < 0).any() or int(counts.sum()) != len(values):
            raise ValueError("its rows do not fit")
        at = (np.repeat(np.arange(shape[0]), counts), columns)
    if len(at) != len(shape) or values.ndim != 1 or any((row < 0).any() for row in at):
        raise ValueError("its indices do not fit")
    dense = np.zeros(shape, dtype=np.float32)
    np.add.at(dense, at, values)
    return dense
