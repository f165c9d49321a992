"""What was once measured of a foreign checkpoint, kept so that it opens at once the next time; no torch here."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.errors import CheckpointError, StorageError
from tinygpt_tui.files import write_bytes
from tinygpt_tui.foreign.facts import Fact
from tinygpt_tui.foreign.opening import Inspection, inspect_checkpoint
from tinygpt_tui.foreign.qkv_order import Reading
from tinygpt_tui.reading import Damage, read_json, real_path
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.tokenizers.table import tokenizer_from

MOST_ENTRIES = 300
LARGEST = 64 << 20  # bytes; a larger file is forgotten
VERSION = 9  # of how readings are measured: another number forgets them all


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint turned out to be."""

    settings: ArchitectureSettings
    facts: tuple[Fact, ...]
    tokenizer: dict[str, Any]
    reading: Reading = Reading()


class _Cache(msgspec.Struct, kw_only=True):
    version: int = VERSION
    measured: dict[str, Measured] = {}


def inspect_calibrated(path: Path) -> Inspection:
    """Inspect a checkpoint and add what was measured of it before. Raises CheckpointError, StorageError."""
    inspection = inspect_checkpoint(path)
    return cached_calibration(inspection) or inspection


def cached_calibration(inspection: Inspection) -> Inspection | None:
    """Return what was measured of these very files; None where they are new, or have changed."""
    found = _read().measured.get(_key(inspection))
    if found is None or type(found.settings) is not type(inspection.settings):
        return None
    try:
        tokenizer = tokenizer_from(found.tokenizer)
    except CheckpointError:
        return None
    return dataclasses.replace(
        inspection,
        settings=found.settings,
        reading=found.reading,
        facts=found.facts,
        tokenizer=tokenizer,
        questions=(),
    )


def cache_calibration(found: Inspection, measured: Inspection) -> None:
    """Keep what was measured of a checkpoint, by how it was found. Where nothing can be kept it is measured again."""
    cache, key = _read(), _key(found)
    cache.measured.pop(key, None)
    while len(cache.measured) >= MOST_ENTRIES:
        del cache.measured[next(iter(cache.measured))]
    cache.measured[key] = Measured(
        settings=measured.settings,
        facts=measured.facts,
        tokenizer=measured.tokenizer.to_dict(),
        reading=measured.reading,
    )
    with contextlib.suppress(StorageError):
        write_bytes(paths.measured_file(), msgspec.json.encode(cache))


def _key(inspection: Inspection) -> str:
    """Name the files and when they were last written, and the vocabulary that is known of them or may be theirs."""
    source = inspection.source
    files = [*source.files, source.folder / "config.json", *(one.text for one in inspection.possible if one.text)]
    vocabulary = msgspec.json.encode([inspection.tokenizer.to_dict(), [one.named for one in inspection.possible]])
    known = hashlib.blake2s(vocabulary, digest_size=8).hexdigest()
    return "|".join([*(f"{real_path(file)}:{_stamp(file)}" for file in files), known])


def _stamp(file: Path) -> str:
    try:
        status = file.stat()
    except OSError:
        return "?"
    return f"{status.st_size}:{status.st_mtime_ns}"


def _read() -> _Cache:
    try:
        cache = read_json(paths.measured_file(), _Cache, LARGEST)
    except (OSError, Damage):
        return _Cache()
    return cache if cache.version == VERSION else _Cache()
