"""Deleted models are first in `.trash` beside the models, where they can be restored; then in the platform's trash.

The platform's trash (Finder's, the recycle bin, freedesktop's) shows its content to the user, but gives nothing back to
a program. So a model is moved there when it cannot be undone any more: when the program that deleted it ends, or when
there are too many. It keeps its name and its place, so that "put back" there makes it a model again. Without a
platform's trash the last few stay here.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

import psutil

from tinygpt_tui import paths
from tinygpt_tui.files import move, remove, remove_folder

TRASH = ".trash"
HOLDS = 10  # models
_WAITING = re.compile(r"(.+)~\d{15,}(?:~(\d+))?")  # a name, when, and which process deleted it


def place_for(model: Path) -> Path:
    """Return where a deleted model goes: its name, when, and which process may still restore it."""
    return model.parent / TRASH / f"{model.name}~{time.time_ns()}~{os.getpid()}"


def make_room(trash: Path) -> None:
    """Remove the oldest beyond what it holds: to the platform's trash, or without one for good."""
    with contextlib.suppress(OSError):
        waiting = sorted(trash.iterdir(), key=lambda path: path.stat().st_mtime)
        for place in waiting[:-HOLDS]:
            if not to_platform(place):
                _remove(place)


def hand_over(folder: Path | None = None) -> int:
    """Move what cannot be undone any more to the platform's trash; return how many models that were.

    That is what was deleted by this process, which is about to end, and by processes that have ended.
    """
    try:
        waiting = list(((folder or paths.models_folder()) / TRASH).iterdir())
    except OSError:
        return 0
    return sum(to_platform(place) for place in waiting if not _may_be_restored(place))


def to_platform(place: Path) -> bool:
    """Move the model at `place` to the platform's trash, as if from its old place; False if it stays."""
    models = place.parent.parent
    match = _WAITING.fullmatch(place.name)
    name = match[1] if match else place.name
    target = next(path for path in (models / name, *(models / f"{name}-{n}" for n in range(2, 1000))) if _free(path))
    try:
        move(place, target)
    except OSError:
        return False
    try:
        _send(target)
    except Exception:  # of any kind: there is no usable trash
        with contextlib.suppress(OSError):
            move(target, place)
        return False
    return True


def _send(path: Path) -> None:
    from send2trash import send2trash  # type: ignore[import-untyped]  # no types of its own

    send2trash(path)


def _free(path: Path) -> bool:
    return not os.path.lexists(path)


def _may_be_restored(place: Path) -> bool:
    """Whether another process that is alive can still undo it."""
    match = _WAITING.fullmatch(place.name)
    if match is None or not match[2] or int(match[2]) == os.getpid():
        return False
    return bool(psutil.pid_exists(int(match[2])))


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        remove_folder(place)
    else:
        remove(place)
