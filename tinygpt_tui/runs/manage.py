"""Managing a model's folder as a whole: rename, copy, move to the trash and restore, and notes; no torch.

Only the user's own models can be changed, and none while it is being trained. The trash can be undone; see trash.py.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import msgspec

from tinygpt_tui import paths
from tinygpt_tui.errors import NotFoundError, RunError, TinyGPTError, storage_error
from tinygpt_tui.files import locked, move, remove, remove_folder, write_text
from tinygpt_tui.reading import open_file, real_path
from tinygpt_tui.runs import trash
from tinygpt_tui.runs.control import live_status
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.index import check_name, taken

OF_A_TRAINER = ("lock", "control", "*.log", ".*")  # not copied
LONGEST_NOTES = 100_000  # characters


@dataclass(frozen=True)
class TrashedModel:
    """A model in the trash: where it was, and where it is now."""

    model: Path
    place: Path


def is_own(model: Path) -> bool:
    """Whether a model folder is the user's own, to rename and to delete; shipped ones are not."""
    # Resolve links of the folder (on macOS /tmp is one), but not of the model, which may be a link to somewhere else.
    return real_path(model.absolute().parent) == real_path(paths.models_folder().absolute())


def rename(model: Path, name: str) -> Path:
    """Give a model another name; return its new folder.

    Raises UsageError for an invalid name, RunError if it is taken or the model is being trained, NotFoundError,
    StorageError.
    """
    name = check_name(name)
    with _free(model, "renamed"):
        target = model.with_name(name)
        if name == model.name:
            return model
        # On a disk that ignores case, `Cat` and `cat` are the same folder.
        if target.exists() and not target.samefile(model):
            raise taken(target)
    _move(model, target)
    _write_name(target)
    return target


def duplicate(model: Path, name: str) -> Path:
    """Copy any model to one of the user's own; return its folder.

    Its run is copied, too, except for what belongs to a trainer. Raises UsageError for an invalid name, RunError if it
    is taken or the model is being trained, NotFoundError, StorageError.
    """
    name = check_name(name)
    if live_status(RunFolder(model)) is not None:
        raise RunError(f"{model.name} is being trained now", "stop it first: a copy would be incomplete")
    target = paths.models_folder() / name
    part = target.with_name(f".{name}.part")
    if target.exists():
        raise taken(target)
    try:
        remove_folder(part)
        part.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(model, part, ignore=shutil.ignore_patterns(*OF_A_TRAINER))
        move(part, target)
    except FileNotFoundError:
        raise _gone(model) from None
    except OSError as error:  # shutil.Error, of several files, is one too
        raise storage_error(error, target) from error
    finally:
        remove_folder(part)
    _write_name(target)
    return target


def move_to_trash(model: Path) -> TrashedModel:
    """Move a model, or a loose file among the models, to the trash; `restore` undoes it.

    Raises RunError if the model is being trained, or not the user's own; NotFoundError, StorageError.
    """
    trashed = TrashedModel(model, trash.place_for(model))
    with _free(model, "deleted"):
        try:
            trashed.place.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error(error, trashed.place.parent) from error
    _move(model, trashed.place)
    with contextlib.suppress(OSError):
        os.utime(trashed.place)
    trash.make_room(trashed.place.parent)
    return trashed


def restore(trashed: TrashedModel) -> Path:
    """Move a model back from the trash. Raises RunError if its name was taken meanwhile, NotFoundError."""
    if trashed.model.exists():
        raise RunError(
            f"there is another model called {trashed.model.name!r} now", f"rename it first: yours is {trashed.place}"
        )
    _move(trashed.place, trashed.model)
    return trashed.model


def read_notes(run: RunFolder) -> str:
    """Return the user's notes on a run; empty if there are none or they cannot be read."""
    try:
        with io.TextIOWrapper(open_file(run.notes), encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_NOTES)
    except OSError:
        return ""


def write_notes(run: RunFolder, notes: str) -> None:
    """Save notes on a run; empty ones are removed. Raises StorageError."""
    if notes.strip():
        # A terminal may pass halves of surrogate pairs, which no file can hold.
        write_text(run.notes, notes.encode("utf-8", "replace").decode("utf-8"), within=run.folder)
        return
    try:
        remove(run.notes)
    except OSError as error:
        raise storage_error(error, run.notes) from error


@contextlib.contextmanager
def _free(model: Path, what: str) -> Iterator[None]:
    """Lock a model's run while it is changed, so that no trainer starts. Raises RunError if it may not be changed."""
    if not model.exists():
        raise _gone(model)
    if not is_own(model):
        raise RunError(f"{model.name} came with the program and cannot be {what}", "copy it under another name")
    run = RunFolder(model)
    busy = RunError(f"{model.name} is being trained now and cannot be {what}", "stop it first")
    if live_status(run) is not None:
        raise busy
    if not run.lock.exists():
        yield
        return
    try:
        with locked(run.lock):
            yield
    except filelock.Timeout:
        raise busy from None
    except OSError as error:
        raise storage_error(error, run.lock) from error


def _move(model: Path, target: Path) -> None:
    try:
        move(model, target)
    except FileNotFoundError:
        raise _gone(model) from None
    except OSError as error:
        raise storage_error(error, model) from error


def _write_name(model: Path) -> None:
    """Write the folder's name into its run's settings, if it has a run."""
    run = RunFolder(model)
    with contextlib.suppress(TinyGPTError):
        run.write_settings(msgspec.structs.replace(run.read_settings(), name=model.name))


def _gone(model: Path) -> NotFoundError:
    return NotFoundError(f"there is no model {model}", "another window may have renamed or deleted it")
