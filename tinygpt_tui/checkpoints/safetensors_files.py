"""The header of a safetensors file: JSON, and where each tensor lies. Checked here, byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeGuard

from tinygpt_tui.checkpoints.pickles import MOST_DIMENSIONS
from tinygpt_tui.checkpoints.sidecars import plain_json
from tinygpt_tui.checkpoints.tensors import KINDS, TensorPlace, checked
from tinygpt_tui.errors import CheckpointError, storage_error

LARGEST_HEADER = 32 << 20
_ITEM_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def read_safetensors(path: Path) -> tuple[dict[str, TensorPlace], dict[str, str]]:
    """Return the tensors of a safetensors file, and its metadata.

    Raises CheckpointError where the header is damaged, asks for more than the file has, or lays tensors over one
    another; StorageError.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(size - 8, LARGEST_HEADER):
                raise _damaged(path, f"its header would have {length:,} bytes")
            content = file.read(length)
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        header = plain_json(content)
    except ValueError as error:
        raise _damaged(path, f"its header is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no object")
    metadata = header.pop("__metadata__", None)
    body = 8 + length
    places = [_place(path, name, entry, body, size - body) for name, entry in header.items()]
    _check_apart(path, places)
    words = metadata if isinstance(metadata, dict) else {}
    return checked(places), {str(key): value for key, value in words.items() if isinstance(value, str)}


def _place(path: Path, name: str, entry: Any, body: int, room: int) -> TensorPlace:
    if not isinstance(entry, dict):
        raise _damaged(path, f"{name} is not described")
    kind, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not (_whole_numbers(shape) and _whole_numbers(offsets)) or len(offsets) != 2 or len(shape) > MOST_DIMENSIONS:
        raise _damaged(path, f"{name} is not described")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CheckpointError(f"{path.name}: {name} is made of {str(kind)[:20]}, which is not read", "")
    start, end = offsets
    item = _ITEM_SIZES[kind]
    place = TensorPlace(name, path, kind, tuple(shape), body + start, (end - start) // item)
    if not start <= end <= room or place.numel * item != end - start:
        raise _damaged(path, f"{name} does not fit its place")
    return place


def _check_apart(path: Path, places: list[TensorPlace]) -> None:
    """Check that no two tensors share bytes: the format forbids it."""
    end, before = 0, ""
    for place in sorted((place for place in places if place.numel), key=lambda place: place.origin):
        if place.origin < end:
            raise _damaged(path, f"{place.name} lies on {before}")
        end, before = place.origin + place.numel * _ITEM_SIZES[place.kind], place.name


def _whole_numbers(row: Any) -> TypeGuard[list[int]]:
    return isinstance(row, list) and all(type(number) is int and 0 <= number < 1 << 62 for number in row)


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path.name} is not a sound safetensors file: {why}", "copy the file again")
