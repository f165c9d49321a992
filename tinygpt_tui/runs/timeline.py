"""The snapshots of a run: at which steps they are due, which exist, which are removed; no torch here.

A moment is a file `timeline/step-0000500.safetensors`, written whole by `checkpoints/moment.py`. They are closer at
the start of a run than at its end: evenly spaced on a logarithmic axis of steps.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui.errors import NotFoundError, storage_error
from tinygpt_tui.files import remove
from tinygpt_tui.runs.folder import RunFolder

MOST = 40  # moments of a run
FIRST_STEPS = 10  # up to about here steps are spaced evenly: not each of the first ten is needed
NAME = re.compile(r"step-(\d{7,})\.safetensors")


@dataclass(frozen=True)
class Moment:
    """The weights as they were after `step` steps, in the file at `path`."""

    step: int
    path: Path


def planned(steps: int, count: int = MOST) -> tuple[int, ...]:
    """Return the steps of a run of `steps` at which a moment is due: 0 first, the last step last, `count` at most."""
    if count < 1:
        return ()
    found = [0]
    for left in range(count - 1, 0, -1):
        if found[-1] >= steps:
            break
        ratio = ((steps + FIRST_STEPS) / (found[-1] + FIRST_STEPS)) ** (1 / left)
        found.append(min(steps, max(found[-1] + 1, round((found[-1] + FIRST_STEPS) * ratio) - FIRST_STEPS)))
    return tuple(found)


def affordable(room_bytes: int, moment_bytes: int) -> int:
    """Return how many snapshots of this size fit."""
    return min(MOST, room_bytes // max(1, moment_bytes))


def path_of(run: RunFolder, step: int) -> Path:
    """Return the path of the snapshot of `step`, if it was written."""
    return run.timeline / f"step-{step:07}.safetensors"


def list_moments(run: RunFolder) -> list[Moment]:
    """Return the snapshots by step; none if the folder cannot be read."""
    try:
        names = [(NAME.fullmatch(path.name), path) for path in run.timeline.iterdir()]
    except OSError:
        return []
    return sorted((Moment(int(name[1]), path) for name, path in names if name), key=lambda moment: moment.step)


def nearest(run: RunFolder, step: int) -> Moment:
    """Return the moment nearest to `step`, the earlier one of two. Raises NotFoundError if there is none."""
    moments = list_moments(run)
    if not moments:
        raise NotFoundError(
            f"{run.model.name} has no snapshots",
            "models trained with `timeline mb` above 0 do; train it again, or leave the step out",
        )
    return min(moments, key=lambda moment: abs(moment.step - step))


def keep_to(run: RunFolder, step: int, count: int) -> None:
    """Make a timeline fit a run that resumes from `step`, with at most `count` snapshots. Raises StorageError.

    Snapshots of later steps, and incomplete files, are removed.
    """
    try:
        for part in run.timeline.glob(".*.part"):
            remove(part)
        moments = list_moments(run)
        stays = set(thinned([moment.step for moment in moments if moment.step <= step], count))
        for moment in moments:
            if moment.step not in stays:
                remove(moment.path)
    except OSError as error:
        raise storage_error(error, run.timeline) from error


def thinned(steps: list[int], count: int) -> list[int]:
    """Return `count` of `steps` (ascending), the first and the last among them, spaced as evenly as they allow.

    One by one the step is removed whose neighbours are closest to each other on the plan's axis.
    """
    left = list(steps)
    if count < 2:
        return left[-count:] if count else []
    while len(left) > count:
        places = [math.log(step + FIRST_STEPS) for step in left]
        gaps = [places[i + 1] - places[i - 1] for i in range(1, len(left) - 1)]
        del left[1 + gaps.index(min(gaps))]
    return left
