"""The places of tensors in a file: shapes and kinds at once, numbers on request; numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, storage_error
from tinygpt_tui.foreign.ggml_blocks import BLOCKS, byte_count, dequantised
from tinygpt_tui.reading import open_file

# numpy's form of each kind of number, and of bfloat16 its 16 bits: it is the upper half of a float32.
KINDS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "u1",
}  # fmt: skip
ITEM_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
MOST_TENSORS = 20_000
LONGEST_NAME = 500
MOST_COMPUTED = 1 << 27  # numbers that are not in the file as they are
MUCH = 1 << 30  # bytes; less is had without asking
FLOATS = frozenset({"F64", "F32", "F16", "BF16", *BLOCKS})


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """One tensor of a file: which kind of numbers, in what shape, and where.

    `start` and `stride` count elements from the byte `origin` of `file`, of which `room` elements may be read. What was
    unpacked is in `held` instead, and has a negative `origin`; `make` computes numbers that are not there as they are.
    """

    name: str
    file: Path
    kind: str
    shape: tuple[int, ...]
    origin: int
    room: int
    start: int = 0
    stride: tuple[int, ...] | None = None  # None: rows behind one another
    held: memoryview | None = None
    make: Callable[[], NDArray[np.float32]] | None = None

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes its numbers take in the file, where they are behind one another."""
        return byte_count(self.kind, self.numel) if self.kind in BLOCKS else self.numel * ITEM_SIZES[self.kind]

    @property
    def is_float(self) -> bool:
        return self.kind in FLOATS


def checked(places: Iterable[TensorPlace]) -> dict[str, TensorPlace]:
    """Return the tensors by name, each checked to be inside its file.

    Raises CheckpointError for a shape that asks for more numbers than there are, and where tensors that are not the
    same share numbers: then a small file could fill a large memory.
    """
    found: dict[str, TensorPlace] = {}
    whole: dict[tuple[Path, int], int] = {}
    parts: dict[tuple[Path, int], set[tuple[int, int]]] = {}
    for place in places:
        if not place.name.isprintable() or len(place.name) > LONGEST_NAME:
            raise CheckpointError(
                f"{place.file.name} has a tensor called {place.name[:60]!r}", "the file is damaged; do not trust it"
            )
        if place.name in found:
            raise CheckpointError(f"{place.file.name} names {place.name} twice", "the file is damaged")
        check_inside(place)
        found[place.name] = place
        if place.numel:
            at = place.file, place.origin
            whole[at] = place.room
            parts.setdefault(at, set()).add((place.start, place.numel))
    if sum(place.numel for place in found.values() if place.make) > MOST_COMPUTED:
        raise CheckpointError(
            f"its tensors are packed, {MOST_COMPUTED:,} numbers or more", "no tiny model has that many"
        )
    for at, runs in parts.items():
        if sum(numel for _, numel in runs) > 2 * whole[at]:
            raise CheckpointError(f"{at[0].name}: tensors overlap", "the file is damaged; do not trust it")
    return found


def check_inside(place: TensorPlace) -> None:
    """Raise CheckpointError where a tensor is larger than its part of the file."""
    if any(size < 0 for size in place.shape) or place.start < 0:
        raise CheckpointError(f"{place.file.name}: {place.name} has a negative size", "the file is damaged")
    last = place.numel - 1
    if place.stride is not None and place.numel:
        last = sum((size - 1) * step for size, step in zip(place.shape, place.stride, strict=True))
    if place.numel > place.room or place.start + last >= max(place.room, 1) or (place.numel and not place.room):
        shape = " x ".join(str(size) if size < 10**12 else f"{size:.1e}" for size in place.shape) or "one number"
        raise CheckpointError(
            f"{place.file.name}: {place.name} ({shape}) is larger than what the file holds of it",
            "the file is damaged, or was not copied to its end",
        )


def check_apart(places: Iterable[TensorPlace]) -> None:
    """Check that no two tensors of one file share bytes, where the format forbids it. Raises CheckpointError."""
    end, before = 0, ""
    for place in sorted((place for place in places if place.numel), key=lambda place: place.origin):
        if place.origin < end:
            raise CheckpointError(
                f"{place.file.name} is damaged: {place.name} overlaps {before}", "copy the file again"
            )
        end, before = place.origin + place.nbytes, place.name


def check_memory(name: str, wanted: int) -> None:
    """Raise CheckpointError where `wanted` bytes are more memory than the machine has free."""
    if wanted < MUCH:
        return
    import psutil  # late: nearly no model is so large

    free = psutil.virtual_memory().available
    if wanted > free:
        raise CheckpointError(
            f"{name} needs {wanted / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free",
            "close other programs, or use a smaller model",
        )


def read(place: TensorPlace) -> NDArray[np.float32]:
    """Return a tensor's numbers as float32, laid out row by row. Raises CheckpointError, StorageError."""
    if not place.is_float:
        raise CheckpointError(f"{place.file.name}: {place.name} is made of {place.kind}, not of floats", "")
    if place.make:
        return place.make()
    if place.kind in BLOCKS:
        return dequantised(place.kind, _content(place, place.origin, place.nbytes)).reshape(place.shape)
    raw = rows(place)
    if place.kind == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # what float64 holds and float32 does not becomes infinite, and is found below
        numbers = np.ascontiguousarray(raw, dtype=np.float32)
    return numbers.reshape(place.shape)


def rows(place: TensorPlace) -> NDArray[Any]:
    """Return the numbers as the file has them, in the tensor's shape."""
    form = np.dtype(KINDS[place.kind])
    if not place.numel:
        return np.zeros(place.shape, dtype=form)
    last = place.numel - 1
    if place.stride is not None:
        last = sum((size - 1) * step for size, step in zip(place.shape, place.stride, strict=True))
    content = _content(place, place.origin + place.start * form.itemsize, (last + 1) * form.itemsize)
    flat = np.frombuffer(content, dtype=form)
    if place.stride is None:
        return flat.reshape(place.shape)
    steps = tuple(step * form.itemsize for step in place.stride)
    return np.lib.stride_tricks.as_strided(flat, place.shape, steps, writeable=False).copy()


def _content(place: TensorPlace, origin: int, count: int) -> bytearray | memoryview:
    """Read bytes of a tensor: no more than the file holds, `checked` has seen to it."""
    if place.held is not None:
        return place.held[origin - place.origin :][:count]
    content = bytearray(count)
    try:
        with open_file(place.file) as file:
            file.seek(origin)
            read_bytes = file.readinto(content)
    except OSError as error:
        raise storage_error(error, place.file) from error
    if read_bytes < count:
        raise CheckpointError(f"{place.file.name} ends before {place.name} does", "it was not copied to its end")
    return content
