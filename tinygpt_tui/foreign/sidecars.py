"""The small files beside a checkpoint's weights: read whole, never large, and only from the folder itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinygpt_tui.errors import CheckpointError, storage_error
from tinygpt_tui.files import is_file
from tinygpt_tui.foreign.readers.pickles import read_pickle
from tinygpt_tui.foreign.readers.torch_legacy import load_storage
from tinygpt_tui.foreign.readers.torch_zip import read_torch
from tinygpt_tui.reading import Damage, decode, read_bytes, real_path

LARGEST = 16 << 20
PICKLED = (".pkl", ".pickle", ".p")


def sidecar(folder: Path, name: str) -> Path | None:
    """Return the file `name` of `folder`; None where there is none.

    Raises CheckpointError for a link that leads out of the folder: a checkpoint brings its own files.
    """
    path = folder / name
    if not is_file(path):
        return None
    check_inside(path, folder)
    return path


def check_inside(path: Path, folder: Path) -> None:
    """Raise CheckpointError where `path` is a link that leads out of `folder`.

    Hugging Face's cache is the exception: there every file is a link to a blob of the same model.
    """
    if not path.is_symlink():
        return
    target, home = real_path(path), real_path(folder)
    blobs = home.parent.parent / "blobs"
    if not target.is_relative_to(home) and not (home.parent.name == "snapshots" and target.is_relative_to(blobs)):
        raise CheckpointError(
            f"{path.name} is a link that leads out of {folder.name}", "copy the file itself into the folder"
        )


def read_small(path: Path) -> bytes:
    """Return a small file's bytes. Raises StorageError, also where it is not small."""
    try:
        return read_bytes(path, LARGEST)
    except OSError as error:
        raise storage_error(error, path) from error


def read_text(path: Path) -> str:
    """Return a small text file, UTF-8, line ends as they are. Raises CheckpointError, StorageError."""
    try:
        return read_small(path).decode("utf-8")
    except UnicodeDecodeError:
        raise CheckpointError(f"{path.name} is not UTF-8 text", "the file is damaged") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object. Raises CheckpointError, StorageError."""
    found = read_stored(path)
    if not isinstance(found, dict):
        raise CheckpointError(f"{path.name} holds no object", "the file is damaged")
    return found


def read_stored(path: Path) -> Any:
    """Return what a JSON file, a pickle or a file of torch's holds, as plain data; nothing in it is run.

    Raises CheckpointError, StorageError.
    """
    if path.suffix in (".pt", ".pth"):
        return read_torch(path).content
    if path.suffix in PICKLED:
        return read_pickle(read_small(path), name=path.name, load=load_storage)[0]
    try:
        return decode(read_small(path))
    except Damage as error:
        raise CheckpointError(f"{path.name} is no JSON: {error}", "the file is damaged") from None
