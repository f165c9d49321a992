"""The texts in the data folder that were gathered or downloaded, and that no run refers to: they can be made again."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tinygpt_tui import paths
from tinygpt_tui.corpora.catalog import FETCHED
from tinygpt_tui.corpora.gathering import gathered_folder
from tinygpt_tui.corpora.read import GATHERED
from tinygpt_tui.files import FORGOTTEN_S, is_folder, remove, remove_folder, remove_parts
from tinygpt_tui.reading import read_bytes
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.trash import TRASH

LARGEST_SETTINGS = 1 << 20  # bytes


class UnusedText(NamedTuple):
    """A gathered text and the file that describes it, or what was downloaded; the `size` is in bytes."""

    name: str
    size: int
    parts: tuple[Path, ...]


def unused_texts() -> list[UnusedText]:
    """Return the texts that no run refers to, also none that can be restored; none that is being downloaded."""
    used, found = _settings(), list[UnusedText]()
    for place in _entries(gathered_folder()):
        if place.suffix == GATHERED and place.name.encode() not in used:
            about = place.with_suffix(".json")
            found.append(UnusedText(place.name, _size(place) + _size(about), (place, about)))
    for place in _entries(paths.data_folder() / FETCHED):
        if place.name.encode() in used or any(map(_is_being_written, place.rglob(".*.part"))):
            continue
        files = [*place.rglob("*")] if is_folder(place) else [place]
        name = next((one.name for one in _entries(place)), place.name) if is_folder(place) else place.name
        found.append(UnusedText(name, sum(map(_size, files)), (place,)))
    return found


def remove_unused() -> list[UnusedText]:
    """Remove the texts that no run refers to, except what another program has open; return those that are gone."""
    unused = unused_texts()
    for place in (path for text in unused for path in text.parts):
        if is_folder(place):
            remove_folder(place)
        else:
            with suppress(OSError):
                remove(place)
    for folder in (gathered_folder(), paths.data_folder() / FETCHED):
        remove_parts(folder)
    return [text for text in unused if not text.parts[0].exists()]


def _settings() -> bytes:
    """Return the settings of all runs as they are in their files, so that one of another version counts, too."""
    models, found = paths.models_folder(), b""
    for model in (*_entries(models), *_entries(models / TRASH)):
        with suppress(OSError):
            found += read_bytes(RunFolder(model).settings, LARGEST_SETTINGS)
    return found


def _entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return []


def _is_being_written(part: Path) -> bool:
    try:
        return time.time() - part.stat().st_mtime < FORGOTTEN_S
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
