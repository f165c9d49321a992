"""What was made of large texts, saved under a key of their content: facts, tokenizers, ids in memory-mapped files.

Every process of this machine reads the same files. The ones that were not used for longest are removed first.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from tinygpt_tui import paths
from tinygpt_tui.errors import StorageError, storage_error
from tinygpt_tui.files import remove, remove_parts, take_lock, whole_file, write_bytes
from tinygpt_tui.reading import Damage, open_file, read_json
from tinygpt_tui.tokenizers.ids import Ids
from tinygpt_tui.words import size

T = TypeVar("T")

FORMAT = 1
LARGEST = 16 << 30  # bytes that stay when something new is saved
IDS, ABOUT, LOCK = ".ids", ".json", ".lock"
WAIT_S = 0.2  # between two looks at what another process makes


class StoredParts(msgspec.Struct, frozen=True):
    """What a file of ids holds: their type, then how many are trained on, and how many are for validation."""

    type: str
    train: int
    validation: int


@dataclass(frozen=True)
class StoredIds:
    """The ids in the file at `path`, in two parts (N,) and (M,); the operating system reads a page when it is used."""

    path: Path
    train: Ids
    validation: Ids


def key_of(*parts: Any) -> str:
    """Return the key of what follows from `parts`, which are plain data."""
    return hashlib.sha256(msgspec.json.encode([FORMAT, *parts])).hexdigest()[:32]


def read_cached(name: str, kind: type[T]) -> T | None:
    """Return what was saved under `name`; None if there is nothing, or nothing of this kind."""
    path = _folder() / name
    try:
        found = read_json(path, kind)
        os.utime(path)
    except (OSError, Damage):
        return None
    return found


def save_cached(name: str, content: Any) -> None:
    """Save what is made again if it is missing: if there is no room for it, nothing happens."""
    with suppress(StorageError):
        write_bytes(_folder() / name, msgspec.json.encode(content))


def storing(
    key: str, dtype: np.dtype[Any], parts: Iterator[tuple[float, bool, Ids]], wanted: int
) -> Generator[float, None, StoredIds]:
    """Yield the share that is done, and return the ids under `key`: those `parts` yields, unless they are there.

    `parts` are shares, whether ids are for validation, and ids; `wanted` is their size in bytes, 0 if unknown. A file
    is written whole or not at all. If another process writes it, this one waits. Raises StorageError.
    """
    path = _folder() / f"{key}{IDS}"
    while (found := _opened(path)) is None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = take_lock(path.with_suffix(LOCK))
        except TimeoutError:  # another process has it
            yield 0.0
            time.sleep(WAIT_S)
            continue
        except OSError as error:
            raise storage_error(error, path) from error
        try:
            found = _opened(path)
            if found is None:
                remove_parts(path.parent)
                yield from _written(path, dtype, parts, wanted)
                _remove_oldest(LARGEST, keep=key)
        finally:
            lock.release()
    return found


def open_ids(path: Path, dtype: np.dtype[Any], count: int) -> Ids:
    """Return the first `count` ids of a file. Raises OSError, also if it has fewer."""
    if not count:
        return np.empty(0, dtype=dtype)
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size < count * dtype.itemsize:
            raise OSError(f"{path} is too short")
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=dtype, count=count)


def entries() -> list[tuple[float, int, str]]:
    """Return when each key was last used, how many bytes its files have, and the key; the oldest first."""
    found: dict[str, tuple[float, int]] = {}
    with suppress(OSError):
        for path in _folder().iterdir():
            with suppress(OSError):
                status, (used, held) = path.stat(), found.get(path.stem, (0.0, 0))
                if not path.name.startswith("."):  # a part of a file that is being written
                    found[path.stem] = max(used, status.st_mtime), held + status.st_size
    return sorted((used, held, key) for key, (used, held) in found.items())


def clear() -> int:
    """Remove all that is saved, except what is open on Windows; return how many bytes that were."""
    before = sum(held for _, held, _ in entries())
    _remove_oldest(0)
    remove_parts(_folder())
    return before - sum(held for _, held, _ in entries())


def _folder() -> Path:
    return paths.home() / "cache"


def _opened(path: Path) -> StoredIds | None:
    about = path.with_suffix(ABOUT)
    try:
        known = read_json(about, StoredParts)
        ids = open_ids(path, np.dtype(known.type), known.train + known.validation)
        os.utime(about)
    except (OSError, Damage, TypeError, ValueError):
        with suppress(OSError):
            remove(about)
        return None
    return StoredIds(path, ids[: known.train], ids[known.train :])


def _written(
    path: Path, dtype: np.dtype[Any], parts: Iterator[tuple[float, bool, Ids]], wanted: int
) -> Generator[float, None, None]:
    if wanted > shutil.disk_usage(path.parent).free:
        _remove_oldest(0)
    if wanted > (free := shutil.disk_usage(path.parent).free):
        raise StorageError(
            f"the ids of this text need {size(wanted)} in {path.parent}, {size(free)} are free",
            "free some space, or choose a part of the text: head -c 1000000000",
        )
    counts = [0, 0]
    with whole_file(path, wanted) as file:
        for done, is_validation, ids in parts:
            file.write(ids.astype(dtype, copy=False).data)
            counts[is_validation] += len(ids)
            yield done
    write_bytes(path.with_suffix(ABOUT), msgspec.json.encode(StoredParts(dtype.name, *counts)))


def _remove_oldest(largest: int, keep: str = "") -> None:
    """Remove what was not used for longest, until at most `largest` bytes are left; what is open on Windows stays."""
    known = entries()
    total = sum(held for _, held, _ in known)
    for _, held, key in known:
        if total <= largest:
            return
        if key != keep:
            for path in _folder().glob(f"{key}.*"):
                with suppress(OSError):
                    remove(path)
            total -= held
