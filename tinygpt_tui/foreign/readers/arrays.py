"""numpy's arrays as a pickle describes them, and which values of a pickle are tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygpt_tui.foreign.readers.pickled import (
    MOST_DIMENSIONS,
    AnyTensor,
    ByteRange,
    MetaRef,
    PickledObject,
    SparseRef,
    Storage,
    TensorRef,
)

_ORDERS = ("<", "=", "|")  # little-endian, or of one byte
MOST_TEXTS = 1 << 16
LONGEST_SCALAR = 256  # bytes


def as_tensor(value: Any) -> AnyTensor | None:
    """Return a value of a pickle as a tensor, an array of numpy too; None where it is none."""
    if isinstance(value, TensorRef | SparseRef | MetaRef):
        return value
    described = _described(value)
    if described is None:
        return None
    shape, kind, fortran, content = described
    if not isinstance(content, bytes | ByteRange) or kind[:1] not in "fiub":
        return None
    strides = [math.prod(shape[at + 1 :]) for at in range(len(shape))]
    if fortran:
        strides = [math.prod(shape[:at]) for at in range(len(shape))]
    return TensorRef(Storage("", kind, None, content), 0, shape, tuple(strides), kind)


def texts_in(value: Any) -> list[str] | None:
    """Return the texts of a row of numpy's (its kind is `U`); None where it is another thing."""
    described = _described(value)
    if described is None or len(described[0]) != 1:
        return None
    (count,), kind, _, content = described
    if kind[:1] != "U" or not kind[1:].isdigit() or not isinstance(content, bytes) or count > MOST_TEXTS:
        return None
    form = np.dtype(f"<U{min(int(kind[1:]), len(content))}")
    return np.frombuffer(content, dtype=form).tolist() if form.itemsize * count == len(content) > 0 else None


def scalar_in(value: Any) -> Any:
    """Return a text or a whole number of numpy's as Python's own; anything else unchanged."""
    if not isinstance(value, PickledObject) or value.kind.name != "scalar" or len(value.arguments) != 2:
        return value
    dtype, content = value.arguments
    kind = dtype.arguments[0] if isinstance(dtype, PickledObject) and dtype.arguments else ""
    if not isinstance(kind, str) or not isinstance(content, bytes) or not 0 < len(content) <= LONGEST_SCALAR:
        return value
    if kind[:1] == "U":
        return content.decode("utf-32-le", "replace").rstrip("\0")
    return int.from_bytes(content, "little", signed=kind[:1] == "i") if kind[:1] in ("i", "u") else value


def _described(value: Any) -> tuple[tuple[int, ...], str, bool, Any] | None:
    """Return shape, kind ("f4"), whether columns are behind one another, and content of an array; else None."""
    if not isinstance(value, PickledObject) or not value.kind.module.startswith("numpy"):
        return None
    if value.kind.name == "_reconstruct" and isinstance(value.state, tuple) and len(value.state) in (4, 5):
        shape, dtype, fortran, content = value.state[-4:]
    elif value.kind.name == "_frombuffer" and len(value.arguments) == 4:
        content, dtype, shape, order = value.arguments
        fortran = order == "F"
    else:
        return None
    if isinstance(content, str):  # as Python 2 writes bytes
        content = content.encode("latin-1", "replace")
    if not isinstance(shape, tuple) or len(shape) > MOST_DIMENSIONS:
        return None
    kind = dtype.arguments[0] if isinstance(dtype, PickledObject) and dtype.arguments else None
    order = dtype.state[1] if isinstance(dtype, PickledObject) and isinstance(dtype.state, tuple) else "<"
    if not isinstance(kind, str) or order not in _ORDERS or any(type(n) is not int or n < 0 for n in shape):
        return None
    return shape, kind, bool(fortran), content
