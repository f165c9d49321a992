"""ggml's quantised numbers, a block of 32 or 256 behind a scale of their own, and how they become floats again.

Source: ggml-quants.c of llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


class BlockKind(NamedTuple):
    """`numel` numbers take `size` bytes; `read` turns blocks (N, size) into numbers (N, numel)."""

    numel: int
    size: int
    read: Callable[[Bytes], NDArray[np.float32]]


def dequantised(kind: str, content: bytearray | memoryview) -> NDArray[np.float32]:
    """Return the numbers of whole blocks, flat."""
    block = BLOCKS[kind]
    with np.errstate(over="ignore", invalid="ignore"):  # a scale that is not finite is found with the weights
        return block.read(np.frombuffer(content, dtype=np.uint8).reshape(-1, block.size)).reshape(-1)


def byte_count(kind: str, numel: int) -> int:
    """Return how many bytes `numel` numbers take, whole blocks."""
    block = BLOCKS[kind]
    return numel // block.numel * block.size


def _scales(part: Bytes) -> NDArray[np.float32]:
    scales: NDArray[Any] = np.ascontiguousarray(part).view("<f2").astype(np.float32)
    return scales


def _q8_0(blocks: Bytes) -> NDArray[np.float32]:
    return _scales(blocks[:, :2]) * blocks[:, 2:].view(np.int8)


def _q4_0(blocks: Bytes) -> NDArray[np.float32]:
    halves = np.concatenate((blocks[:, 2:] & 15, blocks[:, 2:] >> 4), axis=1)  # the lower halves are the first 16
    return _scales(blocks[:, :2]) * (halves.view(np.int8) - np.int8(8))


def _q6_k(blocks: Bytes) -> NDArray[np.float32]:
    """Read 256 numbers of six bits: four, then two, a scale for each 16, and one for all."""
    count = len(blocks)
    lower = blocks[:, :128].reshape(count, 2, 1, 64) >> np.array([0, 4], np.uint8)[:, None] & 15
    upper = blocks[:, 128:192].reshape(count, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
    joined = lower.reshape(count, 256) | upper.reshape(count, 256) << 4
    numbers = (joined.view(np.int8) - np.int8(32)).reshape(count, 16, 16)
    scales = _scales(blocks[:, 208:]) * blocks[:, 192:208].view(np.int8)
    return (scales[:, :, None] * numbers).reshape(count, 256)


BLOCKS: dict[str, BlockKind] = {
    "Q8_0": BlockKind(32, 34, _q8_0),
    "Q4_0": BlockKind(32, 18, _q4_0),
    "Q6_K": BlockKind(256, 210, _q6_k),  # what llama.cpp takes for the head in a file that is called Q4_0
}
