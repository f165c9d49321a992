"""Where people leave a vocabulary, or the text that a model learned from: beside the weights, or a folder away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.foreign.sidecars import sidecar
from tinygpt_tui.foreign.source import Source

KNOWN = ("tokenizer.json", "vocab.json", "chars.txt", "meta.pkl", "tokenizer.model", "tokenizer.bin")
SUFFIXES = (".json", ".pkl", ".pickle", ".p", ".txt", ".pt", ".pth")
NAMED = re.compile(
    r"vocab|char|token|meta|stoi|itos|[ic]2[ic]|idx|alphabet|symbol|letters|dict|encod|mapping|lookup", re.IGNORECASE
)
SETTINGS = re.compile(r"(hyper)?(params?|parameters)|config|settings|hparams|args|model|info", re.IGNORECASE)
NO_TEXT = re.compile(
    r"requirements.*|readme.*|merges|licen[cs]e.*|loss.*|log.*|output.*|samples?.*|generated.*", re.IGNORECASE
)
MOST_ENTRIES, MOST_FILES, MOST_TEXTS = 500, 20, 8
LARGEST_FILE, LARGEST_TEXT = 4 << 20, 16 << 20  # bytes
MOST_SUBFOLDERS = 8
PARENTS = 3  # folders above the weights in which a nanoGPT has its `data`


def files_beside(source: Source) -> Iterator[Path]:
    """Yield the files in the weights' folder that may hold their vocabulary, the surest first.

    Raises CheckpointError for one of the known names that is a link out of the folder.
    """
    for name in KNOWN:
        path = source.sidecar(name)
        if path is not None:
            yield path
    others = [path for path in _entries(source.folder) if path.suffix in SUFFIXES and path.name not in KNOWN]
    named = [path for path in others if NAMED.search(path.stem)]
    settings = [path for path in others if path.suffix == ".json" and SETTINGS.fullmatch(path.stem)]
    yield from [path for path in (*named, *settings) if path not in source.files and _is_small(path)][:MOST_FILES]


def files_elsewhere(source: Source) -> Iterator[Path]:
    """Yield the files of other folders that may hold the vocabulary: nanoGPT's `data/NAME/meta.pkl`, then others."""
    for folder in _folders(source):
        known = [found for name in KNOWN if (found := sidecar(folder, name))]
        named = [path for path in _entries(folder) if path.suffix in SUFFIXES and NAMED.search(path.stem)]
        yield from dict.fromkeys([*known, *(path for path in named if _is_small(path))][:MOST_FILES])


def texts_beside(source: Source) -> list[Path]:
    """Return the texts near the weights, which they may have learned from."""
    found = [
        path
        for folder in (source.folder, *_folders(source))
        for path in _entries(folder)
        if path.suffix == ".txt" and not NO_TEXT.fullmatch(path.stem) and not _is_vocabulary(path) and _size(path) > 64
    ]
    return [path for path in dict.fromkeys(found) if _size(path) <= LARGEST_TEXT][:MOST_TEXTS]


def _folders(source: Source) -> list[Path]:
    """Return the other folders in which to look: of nanoGPT's data set, beside the weights, and the one above."""
    folder, dataset = source.folder.absolute(), _dataset(source.extras)
    above = [folder, *folder.parents[:PARENTS]]
    places = [place / "data" / dataset for place in above] if dataset else []
    for place in (folder / "data", folder.parent, folder.parent / "data", folder.parent.parent):
        places += [place, *_subfolders(place)] if place.name == "data" else [place]
    home = {Path.home(), Path(folder.anchor)}  # of no model alone
    return [place for place in places if is_folder(place) and not place.is_symlink() and place not in home]


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder of data, of which each has a text and what was made of it."""
    try:
        return sorted(folder.iterdir())[:MOST_SUBFOLDERS] if is_folder(folder) else []
    except OSError:
        return []


def _dataset(extras: Mapping[str, Any]) -> str:
    """Return the name of the data set that a nanoGPT's checkpoint states; empty where it is none, or leads away."""
    config = extras.get("config")
    name = config.get("dataset") if isinstance(config, dict) else extras.get("dataset")
    if not isinstance(name, str) or not name or len(name) > 200 or "\0" in name:
        return ""
    path = PurePath(name)
    return "" if path.is_absolute() or ".." in path.parts else name


def _is_vocabulary(path: Path) -> bool:
    return path.name in KNOWN or bool(re.fullmatch(r"(.*[_-])?(vocab|chars?|tokens)", path.stem, re.IGNORECASE))


def _entries(folder: Path) -> list[Path]:
    """Return a folder's plain files by name; nothing of a folder of very many, or that cannot be read."""
    try:
        found = list(folder.iterdir())
    except OSError:
        return []
    if len(found) > MOST_ENTRIES:
        return []
    return sorted(path for path in found if not path.is_symlink() and path.name[:1] != "." and is_file(path))


def _is_small(path: Path) -> bool:
    return _size(path) <= LARGEST_FILE


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 1 << 62
