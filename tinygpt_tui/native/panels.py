"""Lays a model's weights out as gpt.c streams them: matrices in panels, whole or rounded, in one aligned block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PANEL, LANES = 64, 16  # columns of a panel, and what its width is rounded up to: as in products.h
_BYTES = PANEL // LANES  # rounded weights in a word
_LINE = 64  # bytes of a cache line
_STEPS = 127  # steps of rounding in the largest weight of a column
_AT_ONCE = 1 << 20  # numbers that are rounded at once: a large matrix needs no second copy of itself


@dataclass(frozen=True)
class Panels:
    """A linear layer's weight (out, in), to be laid out as panels (in, out); `rounded` to 8 bits a number."""

    weight: NDArray[Any]
    rounded: bool = False


Part = NDArray[Any] | Panels  # arrays become float32


class Block:
    """One piece of zeroed memory: if large enough, it is in huge pages, through which weights stream faster."""

    def __init__(self, size: int) -> None:
        """`size` in bytes: the sum of `room` of what will be put in."""
        self._bytes, self._used = aligned_zeros(size, np.uint8), 0

    def put(self, name: str, part: Part) -> Iterator[tuple[str, NDArray[Any]]]:
        """Copy a part behind the others; yield its name and its memory, for rounded panels `name_scales` as well."""
        if isinstance(part, Panels) and part.rounded:
            width, height = part.weight.shape
            words = self._reserve(-(-width // PANEL) * height * LANES, np.uint32)
            scales = self._reserve(padded(width), np.float32)
            _lay_rounded(part.weight, words.reshape(-1, height, LANES), scales)
            yield name, words
            yield f"{name}_scales", scales
        elif isinstance(part, Panels):
            width, height = part.weight.shape
            floats = self._reserve(height * padded(width), np.float32)
            _lay_panels(part.weight, floats)
            yield name, floats
        else:
            taken = self._reserve(padded(part.size), np.float32)
            taken[: part.size] = part.ravel()
            yield name, taken

    def _reserve(self, count: int, dtype: Any) -> NDArray[Any]:
        size = count * np.dtype(dtype).itemsize
        taken: NDArray[Any] = self._bytes[self._used : self._used + size].view(dtype)
        self._used += -(-size // _LINE) * _LINE
        return taken


def room(part: Part) -> int:
    """Return how many bytes of a Block a part takes."""
    if isinstance(part, Panels):
        width, height = map(int, part.weight.shape)
        if part.rounded:
            return -(-width // PANEL) * height * PANEL + 4 * padded(width)
        return 4 * height * padded(width)
    return padded(part.size) * 4  # a bias is read up to its padded width


def padded(count: int) -> int:
    """Return `count` rounded up to whole LANES."""
    return -(-count // LANES) * LANES


def aligned_zeros(count: int, dtype: Any = np.float32) -> NDArray[Any]:
    """Return zeros (count,) that begin at a cache line. Raises MemoryError."""
    size = count * np.dtype(dtype).itemsize
    bytes_ = np.zeros(size + _LINE, dtype=np.uint8)
    start = -bytes_.ctypes.data % _LINE
    return bytes_[start : start + size].view(dtype)


def _lay_panels(weight: NDArray[Any], to: NDArray[np.float32]) -> None:
    """Lay weight (out, in) out in `to`: panels of 64 columns of its transpose, each row-major, zeros at the end."""
    width, height = weight.shape
    whole = width // PANEL
    edge = whole * PANEL
    to[: edge * height].reshape(whole, height, PANEL)[...] = (
        weight[:edge].reshape(whole, PANEL, height).transpose(0, 2, 1)
    )
    if edge < width:
        to[edge * height :].reshape(height, padded(width) - edge)[:, : width - edge] = weight[edge:].T


def _lay_rounded(weight: NDArray[Any], words: NDArray[np.uint32], scales: NDArray[np.float32]) -> None:
    """Round weight (out, in) into `words` (panels, in, 16) and `scales`, as products.h says.

    A column's scale makes its largest weight 127. Each byte is read with those below it as its fraction, so it is
    chosen for what is left then: no weight is off by more than half a step.
    """
    height = weight.shape[1]
    at_once = max(1, _AT_ONCE // (PANEL * height))
    for first in range(0, len(words), at_once):
        part = weight[first * PANEL : (first + at_once) * PANEL].astype(np.float32)
        largest = np.abs(part).max(axis=1)
        largest[largest == 0] = 1
        scales[first * PANEL : first * PANEL + len(part)] = largest / _STEPS * 2.0**-24
        panels = words[first : first + at_once]
        steps = np.zeros((len(panels), PANEL, height), dtype=np.float32)
        steps.reshape(-1, height)[: len(part)] = part * (_STEPS / largest)[:, None]
        columns = steps.reshape(len(panels), _BYTES, LANES, height).transpose(1, 0, 3, 2)  # (4, panels, in, 16)
        for byte in range(_BYTES):
            fraction = panels / np.float32(1 << 8 * byte)
            nearest = np.rint(columns[byte] - fraction).astype(np.int32).astype(np.uint32)
            panels |= (nearest & 255) << (8 * byte)
