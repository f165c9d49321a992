"""A run's checkpoints along the way: at which steps they are due, which there are, which give way; no torch here.

A moment is a file `timeline/step-0000500.safetensors`, written whole by `checkpoints/moment.py`. Moments lie closer at
the start of a run than at its end, as far apart as a learning curve drawn over log steps is long.
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
FIRST_STEPS = 10  # up to about here steps are spaced evenly: nobody needs each of the first ten
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
    """Return how many moments of this size have room."""
    return min(MOST, room_bytes // max(1, moment_bytes))


def path_of(run: RunFolder, step: int) -> Path:
    """Return where the moment of `step` lies, if it was kept."""
    return run.timeline / f"step-{step:07}.safetensors"


def list_moments(run: RunFolder) -> list[Moment]:
    """Return the moments there are, in the order of their steps; none where the folder cannot be read."""
    try:
        names = [(NAME.fullmatch(path.name), path) for path in run.timeline.iterdir()]
    except OSError:
        return []
    return sorted((Moment(int(name[1]), path) for name, path in names if name), key=lambda moment: moment.step)


def nearest(run: RunFolder, step: int) -> Moment:
    """Return the moment nearest to `step`, the earlier one of two. Raises NotFoundError where there is none."""
    moments = list_moments(run)
    if not moments:
        raise NotFoundError(
            f"{run.model.name} keeps no checkpoints along the way",
            "models trained with `timeline mb` above 0 do; train it again, or leave the step out",
        )
    return min(moments, key=lambda moment: abs(moment.step - step))


def keep_to(run: RunFolder, step: int, count: int) -> None:
    """Make a timeline fit a run that goes on from `step`, at most `count` moments. Raises StorageError.

    What an earlier trainer wrote beyond `step` was never reached by this one, and half a file is nobody's.
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

    One by one the step goes whose neighbours are closest to each other, as the plan measures distance.
    """
    kept = list(steps)
    if count < 2:
        return kept[-count:] if count else []
    while len(kept) > count:
        places = [math.log(step + FIRST_STEPS) for step in kept]
        gaps = [places[i + 1] - places[i - 1] for i in range(1, len(kept) - 1)]
        del kept[1 + gaps.index(min(gaps))]
    return kept
