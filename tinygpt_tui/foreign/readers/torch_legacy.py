"""torch's form from before 1.6, a row of pickles and then every storage's numbers; and such a file within a pickle."""

from __future__ import annotations

import struct
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.readers.pickled import ByteRange, Storage, storage_of
from tinygpt_tui.foreign.readers.pickles import TimeLimit, read_pickle
from tinygpt_tui.foreign.tensors import ITEM_SIZES, MOST_TENSORS

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MOST_STORAGES = 4 * MOST_TENSORS  # an optimizer keeps more, for each of a model's

# torch's kinds of storage, the dtypes that a newer pickle names, and numpy's.
STORAGE_KINDS = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL", "QInt8Storage": "I8", "QUInt8Storage": "U8", "QInt32Storage": "I32",
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8", "u1": "U8", "b1": "BOOL",
}  # fmt: skip

Places = dict[str, tuple[int, int]]  # storage key -> first byte, how many


def read_legacy(
    name: str, data: Any, start: int = 0, end: int | None = None, limit: TimeLimit | None = None, inside: bool = False
) -> tuple[Any, Places]:
    """Return what a file of torch's from before 1.6 describes, and the place of each storage in `data`.

    A pickle that Python made and not torch is read too: it has no storages of its own. `inside` says that it is itself
    part of a pickle, and holds no other. Raises CheckpointError.
    """
    if data[start : start + 1] != b"\x80":
        raise CheckpointError(f"{name} is not a file that torch wrote", "give a .pt, .pth, .bin or .safetensors")
    place, limit, end = start, limit or TimeLimit(), len(data) if end is None else end
    parts: list[Any] = []
    for _ in range(3):
        value, place = read_pickle(data, place, name, limit=limit, load=None if inside else load_storage)
        if not parts and value != LEGACY_MAGIC:
            return value, {}
        parts.append(value)
    if parts[1] != LEGACY_PROTOCOL or not isinstance(parts[2], dict):
        raise CheckpointError(f"{name} is of a form of torch's that is not read", "save it again with torch")
    if parts[2].get("little_endian") is False:
        raise CheckpointError(f"{name} was written on a big-endian machine", "save it again on another")
    kinds: dict[str, str] = {}

    def resolve(reference: Any) -> Any:
        found = storage_of(reference)
        if isinstance(found, Storage):
            kinds[found.key] = found.kind
        return found

    content, place = read_pickle(data, place, name, resolve, limit)
    keys, place = read_pickle(data, place, name, limit=limit)
    if not isinstance(keys, list) or len(keys) > MOST_STORAGES:
        raise CheckpointError(f"{name} is damaged: no list of storages", "copy the file again")
    places: Places = {}
    for key in keys:
        if not isinstance(key, str) or key not in kinds:
            raise CheckpointError(f"{name} is damaged: a storage that nothing uses", "copy the file again")
        (numel,) = struct.unpack("<q", data[place : place + 8]) if place + 8 <= end else (-1,)
        size = numel * ITEM_SIZES[STORAGE_KINDS.get(kinds[key], "U8")]
        if numel < 0 or place + 8 + size > end:
            raise CheckpointError(f"{name} ends too soon", "it was not copied to its end")
        places[key] = (place + 8, size)
        place += 8 + size
    return content, places


def load_storage(data: Any, start: int, size: int, limit: TimeLimit) -> Any:
    """Return the storage that such a file in the middle of a pickle holds: its numbers stay where they are.

    It is how Python's own pickle keeps a tensor. Raises CheckpointError, ValueError where there is no storage.
    """
    content, places = read_legacy("the pickle", data, start, start + size, limit, inside=True)
    if not isinstance(content, Storage) or content.key not in places:
        raise ValueError("no storage")
    first, count = places[content.key]
    held = memoryview(data)[first : first + count] if isinstance(data, bytes) else ByteRange(first, count)
    return content._replace(content=held)
