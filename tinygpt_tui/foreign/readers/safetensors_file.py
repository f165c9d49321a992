"""A safetensors file: its header is checked byte by byte before anything is made of it; no torch here."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui import reading
from tinygpt_tui.errors import CheckpointError, NotFoundError, storage_error
from tinygpt_tui.foreign.readers.pickled import MOST_DIMENSIONS
from tinygpt_tui.foreign.tensors import ITEM_SIZES, KINDS, MOST_TENSORS, TensorPlace, check_apart, check_memory, checked
from tinygpt_tui.reading import Damage

LARGEST_HEADER = 16 << 20
LARGEST_NUMBER = 1 << 62


class _Entry(msgspec.Struct):
    """How a tensor is described; `__metadata__` is read as one that says nothing."""

    dtype: str = ""
    shape: list[int] = []
    data_offsets: list[int] = []


class _Words(msgspec.Struct):
    words: dict[str, str] = msgspec.field(default_factory=dict, name="__metadata__")


def read_safetensors(path: Path) -> tuple[dict[str, TensorPlace], dict[str, str]]:
    """Return where the tensors of a safetensors file are, by name, and its metadata; reads the header alone.

    Raises CheckpointError where the header is damaged, asks for more than the file has, or lays tensors over one
    another; NotFoundError, StorageError.
    """
    try:
        with reading.open_file(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little")
            if length > min(size - 8, LARGEST_HEADER):
                raise _damaged(path, f"its header would have {length:,} bytes")
            content = file.read(length)
    except FileNotFoundError:
        raise NotFoundError(f"{path} is not there", "check the path") from None
    except OSError as error:
        raise storage_error(error, path) from error
    if content.count(b"{") > 2 * MOST_TENSORS:  # each tensor has one, and a vocabulary in the metadata a few
        raise CheckpointError(f"{path.name} has more than {MOST_TENSORS:,} tensors", "no tiny model has that many")
    try:
        entries = reading.decode(content, dict[str, _Entry])
        words = reading.decode(content, _Words).words
    except Damage as error:
        raise _damaged(path, f"its header cannot be read: {error}") from None
    entries.pop("__metadata__", None)
    body = 8 + length
    places = [_place(path, name, entry, body, size - body) for name, entry in entries.items()]
    check_apart(places)
    return checked(places), words


def read_tensors(path: Path, places: Mapping[str, TensorPlace]) -> dict[str, NDArray[Any]]:
    """Return the numbers of tensors of one file, as they are; bfloat16, which numpy has not, as float32.

    Raises CheckpointError where the file was cut since, or there is not enough memory; StorageError.
    """
    check_memory(path.name, sum(place.nbytes for place in places.values()))
    try:
        with reading.open_file(path) as file:
            return {name: _numbers(file, place) for name, place in places.items()}
    except OSError as error:
        raise storage_error(error, path) from error


def _numbers(file: io.BufferedReader, place: TensorPlace) -> NDArray[Any]:
    numbers: NDArray[Any] = np.empty(place.numel, dtype=KINDS[place.kind])
    file.seek(place.origin)
    if file.readinto(numbers.data.cast("B")) < numbers.nbytes:
        raise CheckpointError(f"{place.file.name} ends before {place.name} does", "it was not copied to its end")
    if place.kind == "BF16":  # it is the upper half of a float32
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.reshape(place.shape)


def _place(path: Path, name: str, entry: _Entry, body: int, room: int) -> TensorPlace:
    shape, offsets = entry.shape, entry.data_offsets
    if len(offsets) != 2 or len(shape) > MOST_DIMENSIONS or not _in_range(shape) or not _in_range(offsets):
        raise _damaged(path, f"{name} is not described")
    if entry.dtype not in KINDS:
        raise CheckpointError(f"{path.name}: {name} is made of {entry.dtype[:20]}, which is not read", "")
    start, end = offsets
    item = ITEM_SIZES[entry.dtype]
    place = TensorPlace(name, path, entry.dtype, tuple(shape), body + start, (end - start) // item)
    if not start <= end <= room or place.numel * item != end - start:
        raise _damaged(path, f"{name} does not fit its place")
    return place


def _in_range(row: list[int]) -> bool:
    return all(0 <= number < LARGEST_NUMBER for number in row)


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path.name} is damaged: {why}", "copy the file again")
