"""What can be done with a model's folder as a whole: rename, copy, throw away and take back, and notes; no torch.

Only the user's own models can be changed, and none while it is being trained. What is thrown away waits for somebody
to regret it; see trash.py.
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

OF_A_TRAINER = ("lock", "control", "*.log", ".*")  # what a copy does without
LONGEST_NOTES = 100_000  # characters


@dataclass(frozen=True)
class TrashedModel:
    """A model that was thrown away: where it was, and where it lies now."""

    model: Path
    place: Path


def is_own(model: Path) -> bool:
    """Whether a model folder is the user's own, to rename and to throw away; shipped ones are not."""
    # By links: on macOS /tmp is one. Not of the model itself, which may be a link to somewhere else.
    return real_path(model.absolute().parent) == real_path(paths.models_folder().absolute())


def rename(model: Path, name: str) -> Path:
    """Give a model another name; return its new folder.

    Raises UsageError for a name that cannot be, RunError where it is taken or the model is being trained,
    NotFoundError, StorageError.
    """
    name = check_name(name)
    with _free(model, "renamed"):
        target = model.with_name(name)
        if name == model.name:
            return model
        # On a disk that does not tell capitals apart, `Cat` for `cat` is the same folder and no other's name.
        if target.exists() and not target.samefile(model):
            raise taken(target)
    _move(model, target)
    _say_name(target)
    return target


def duplicate(model: Path, name: str) -> Path:
    """Copy a model, any model, to one of the user's own; return its folder.

    Its run comes with it as it stands, but for what belongs to a trainer. Raises UsageError for a name that cannot be,
    RunError where it is taken or the model is being trained, NotFoundError, StorageError.
    """
    name = check_name(name)
    if live_status(RunFolder(model)) is not None:
        raise RunError(f"{model.name} is being trained now", "stop it first: a copy would be neither here nor there")
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
    _say_name(target)
    return target


def move_to_trash(model: Path) -> TrashedModel:
    """Move a model, or a loose file among the models, to the trash; `restore` undoes it.

    Raises RunError where the model is being trained, or not the user's own; NotFoundError, StorageError.
    """
    thrown = TrashedModel(model, trash.place_for(model))
    with _free(model, "deleted"):
        try:
            thrown.place.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error(error, thrown.place.parent) from error
    _move(model, thrown.place)
    with contextlib.suppress(OSError):
        os.utime(thrown.place)
    trash.make_room(thrown.place.parent)
    return thrown


def restore(thrown: TrashedModel) -> Path:
    """Take a model back out of the trash. Raises RunError where its name was taken meanwhile, NotFoundError."""
    if thrown.model.exists():
        raise RunError(
            f"there is another model called {thrown.model.name!r} by now", f"rename it first: yours is {thrown.place}"
        )
    _move(thrown.place, thrown.model)
    return thrown.model


def read_notes(run: RunFolder) -> str:
    """Return what somebody wrote about a run; nothing where nobody did or it cannot be read."""
    try:
        with io.TextIOWrapper(open_file(run.notes), encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_NOTES)
    except OSError:
        return ""


def write_notes(run: RunFolder, notes: str) -> None:
    """Keep notes on a run; empty ones go. Raises StorageError."""
    if notes.strip():
        # A terminal may hand on halves of surrogate pairs, which no file can hold.
        write_text(run.notes, notes.encode("utf-8", "replace").decode("utf-8"), within=run.folder)
        return
    try:
        remove(run.notes)
    except OSError as error:
        raise storage_error(error, run.notes) from error


@contextlib.contextmanager
def _free(model: Path, what: str) -> Iterator[None]:
    """Hold a model's run while somebody looks whether it may be changed; nobody trains it meanwhile."""
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


def _say_name(model: Path) -> None:
    """Let a run's settings tell the name of its folder; a folder without a run has none to tell."""
    run = RunFolder(model)
    with contextlib.suppress(TinyGPTError):
        run.write_settings(msgspec.structs.replace(run.read_settings(), name=model.name))


def _gone(model: Path) -> NotFoundError:
    return NotFoundError(f"there is no model {model}", "another window may have renamed or deleted it")
