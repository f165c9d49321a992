"""torch's oldest file, of 2016 and 2017: a tar of three members, `storages`, `tensors` and `pickle`.

A storage is a pickle (key, where it was, its class), how many numbers it has, and the numbers. A tensor is a pickle
(key, its storage's key, its class), then dimensions, sizes, strides and where it begins. The pickle points at both by
their keys. Source: `legacy_load` of torch/serialization.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.readers.pickled import MOST_DIMENSIONS, GlobalName, Storage, TensorRef
from tinygpt_tui.foreign.readers.pickles import TimeLimit, read_pickle
from tinygpt_tui.foreign.tensors import MOST_TENSORS

BLOCK = 512
MOST_MEMBERS = 64
MOST_THINGS = 4 * MOST_TENSORS  # storages, tensors
_WANTED = ("storages", "tensors", "pickle")
_AGAIN = "copy the file again"

Places = dict[str, tuple[int, int]]  # storage key -> first byte, how many


def is_tar(beginning: bytes) -> bool:
    """Whether a file that begins with these 512 bytes is a tar archive."""
    return beginning[257:262] == b"ustar"


def read_tar(path: Path, data: Any, sizes: dict[str, int]) -> tuple[Any, Places]:
    """Return what the file describes, with a TensorRef for each tensor, and the place of each storage.

    `data` is the mapped file, `sizes` how many bytes a number of each storage class has. Raises CheckpointError.
    """
    members, limit = dict(_members(path, data)), TimeLimit()
    if not all(name in members for name in _WANTED):
        raise CheckpointError(
            f"{path.name} is a tar archive, but not one of torch's", "unpack it, and give the checkpoint that is in it"
        )
    if "sys_info" in members:
        system, _ = read_pickle(data, members["sys_info"][0], path.name, limit=limit)
        if isinstance(system, dict) and system.get("little_endian") is False:
            raise CheckpointError(f"{path.name} was written on a big-endian machine", "save it again on another")
    try:
        kinds, places, views = _storages(path, data, *members["storages"], sizes, limit)
        tensors = _tensors(path, data, *members["tensors"], kinds, views, limit)
    except (struct.error, ValueError, TypeError) as error:
        raise CheckpointError(f"{path.name} is damaged: {error}", _AGAIN) from None

    def resolved(to: Any) -> Any:
        if isinstance(to, tuple):
            return to[0] if to else None  # a class, and its source as text
        return tensors[_key(to)]

    content, _ = read_pickle(data, members["pickle"][0], path.name, resolved, limit)
    return content, places


def _members(path: Path, data: Any) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield name, first byte and end of each plain file in the archive."""
    place = 0
    for _ in range(MOST_MEMBERS):
        header = bytes(data[place : place + BLOCK])
        if len(header) < BLOCK or not header.strip(b"\0"):
            return
        text = header[124:136].strip(b"\0 ")
        if not text.isdigit() or any(digit > ord("7") for digit in text):
            raise CheckpointError(f"{path.name} is damaged: a member of no size", _AGAIN)
        first, size = place + BLOCK, int(text, 8)
        if first + size > len(data):
            raise CheckpointError(f"{path.name} ends too soon", "it was not copied to its end")
        if header[156:157] in (b"0", b"\0"):
            yield header[:100].split(b"\0")[0].decode("latin-1"), (first, first + size)
        place = first + -(-size // BLOCK) * BLOCK
    raise CheckpointError(f"{path.name} holds more than {MOST_MEMBERS} files", "no checkpoint is like this")


def _storages(
    path: Path, data: Any, place: int, end: int, sizes: dict[str, int], limit: TimeLimit
) -> tuple[dict[str, str], Places, dict[str, tuple[str, int]]]:
    """Return the class of each storage, its place, and which of them are parts of others, and from where."""
    count, place = read_pickle(data, place, path.name, limit=limit)
    kinds: dict[str, str] = {}
    places: Places = {}
    for _ in range(_count(count)):
        told, place = read_pickle(data, place, path.name, limit=limit)
        key, _, kind = told
        if not isinstance(kind, GlobalName) or kind.name not in sizes:
            raise ValueError(f"a storage of {str(kind)[:60]}")
        (numel,) = struct.unpack("<q", data[place : place + 8])
        first, size = place + 8, numel * sizes[kind.name]
        if numel < 0 or first + size > end:
            raise CheckpointError(f"{path.name} ends too soon", "it was not copied to its end")
        kinds[_key(key)], places[_key(key)] = kind.name, (first, size)
        place = first + size
    told, place = read_pickle(data, place, path.name, limit=limit)
    views: dict[str, tuple[str, int]] = {}
    if not isinstance(told, list) or len(told) > MOST_THINGS:
        raise ValueError("no list of views")
    for target, root, offset, _ in told:
        if _key(root) not in kinds or type(offset) is not int or offset < 0:
            raise ValueError("a view of nothing")
        views[_key(target)] = _key(root), offset
    return kinds, places, views


def _tensors(
    path: Path,
    data: Any,
    place: int,
    end: int,
    kinds: dict[str, str],
    views: dict[str, tuple[str, int]],
    limit: TimeLimit,
) -> dict[str, TensorRef | Storage]:
    """Return each tensor by its key, and each storage."""
    found: dict[str, TensorRef | Storage] = {key: Storage(key, kind, None) for key, kind in kinds.items()}
    count, place = read_pickle(data, place, path.name, limit=limit)
    for _ in range(_count(count)):
        told, place = read_pickle(data, place, path.name, limit=limit)
        key, storage, _ = told
        root, offset = views.get(_key(storage), (_key(storage), 0))
        if root not in kinds:
            raise ValueError("a tensor without numbers")
        (dimensions,) = struct.unpack("<i", data[place : place + 4])  # four bytes behind it mean nothing
        if not 0 <= dimensions <= MOST_DIMENSIONS or place + 16 * (dimensions + 1) > end:
            raise ValueError("a tensor's dimensions")
        numbers = struct.unpack(f"<{2 * dimensions + 1}q", data[place + 8 : place + 16 * (dimensions + 1)])
        if any(number < 0 for number in numbers):
            raise ValueError("a tensor's shape")
        shape, stride = numbers[:dimensions], numbers[dimensions:-1]
        found[_key(key)] = TensorRef(Storage(root, kinds[root], None), numbers[-1] + offset, shape, stride, kinds[root])
        place += 16 * (dimensions + 1)
    return found


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_THINGS:
        raise ValueError("a count")
    return value


def _key(value: Any) -> str:
    """Return a key as text: files have it as a number, and the pickle as a number or as text."""
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > 32:
        raise ValueError("a key")
    return str(value)
