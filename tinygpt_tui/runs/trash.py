"""What was thrown away waits in `.trash` beside the models, to be taken back at once; then the platform has it.

The platform's trash (Finder's, the recycle bin, freedesktop's) takes things and shows them to the user, but gives
nothing back to a program. So a model goes there when nobody can press undo any more: when the program that threw it
away ends, or when too many wait. Under its own name and from its own place, so that "put back" there makes it a model
again. Where there is no such trash, the last few stay here.
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
_WAITING = re.compile(r"(.+)~\d{15,}(?:~(\d+))?")  # a name, when, and who threw it away


def place_for(model: Path) -> Path:
    """Return where a model is to wait: its name, when, and which process may still take it back."""
    return model.parent / TRASH / f"{model.name}~{time.time_ns()}~{os.getpid()}"


def make_room(trash: Path) -> None:
    """Let the oldest go where more wait than it holds: to the platform's trash, or where there is none for good."""
    with contextlib.suppress(OSError):
        waiting = sorted(trash.iterdir(), key=lambda path: path.stat().st_mtime)
        for place in waiting[:-HOLDS]:
            if not to_platform(place):
                _remove(place)


def hand_over(folder: Path | None = None) -> int:
    """Give the platform's trash what nobody can take back with a key any more; return how many it took.

    That is what this process threw away, which is about to end, and what processes did that have ended.
    """
    try:
        waiting = list(((folder or paths.models_folder()) / TRASH).iterdir())
    except OSError:
        return 0
    return sum(to_platform(place) for place in waiting if not _may_be_taken_back(place))


def to_platform(place: Path) -> bool:
    """Move what waits at `place` to the platform's trash, as if it came from where it was; False where it stays."""
    models = place.parent.parent
    told = _WAITING.fullmatch(place.name)
    name = told[1] if told else place.name
    target = next(path for path in (models / name, *(models / f"{name}-{n}" for n in range(2, 1000))) if _free(path))
    try:
        move(place, target)
    except OSError:
        return False
    try:
        _send(target)
    except Exception:  # whatever a desktop's own interface says: it has no trash for us
        with contextlib.suppress(OSError):
            move(target, place)
        return False
    return True


def _send(path: Path) -> None:
    from send2trash import send2trash  # type: ignore[import-untyped]  # no types of its own

    send2trash(path)


def _free(path: Path) -> bool:
    return not os.path.lexists(path)


def _may_be_taken_back(place: Path) -> bool:
    """Whether another process that lives still has an undo for it."""
    told = _WAITING.fullmatch(place.name)
    if told is None or not told[2] or int(told[2]) == os.getpid():
        return False
    return bool(psutil.pid_exists(int(told[2])))


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        remove_folder(place)
    else:
        remove(place)
