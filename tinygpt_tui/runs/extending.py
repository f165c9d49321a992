"""A run is given another number of steps: more than it was to make, or fewer; no torch.

What that means for the learning rate is in training/schedule.py.
"""

from __future__ import annotations

import re

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.errors import NotFoundError, RunError, UsageError
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import live_status
from tinygpt_tui.runs.folder import RunFolder, RunSettings, steps_of
from tinygpt_tui.settings.fields import changed
from tinygpt_tui.settings.training import Extension

STEPS = re.compile(r"(\+?)\s*([\d_,]+)")


def check_own(run: RunFolder) -> None:
    """Raise RunError where a run is not the user's, so that it cannot be gone on with."""
    if run.model.parent.resolve() != paths.models_folder().resolve():
        raise RunError(
            f"{run.model.name} came with the program and is left as it is",
            f"start a new run from it: `{own_command('train', '--from', run.model.name)} --corpus NAME|FILE`",
        )


def new_steps(text: str, step: int, steps: int) -> int:
    """Return the number of steps in all that `text` means, `+2000` or `5000`, for a run at `step` of `steps`.

    Raises UsageError where that is no number, or not beyond where the run stands.
    """
    typed = STEPS.fullmatch(text.strip())
    if typed is None:
        raise UsageError(
            f"steps: {text!r} is no number of steps", "write +2000 for so many more, or 5000 for all of them"
        )
    count = int(re.sub("[_,]", "", typed[2]))
    found = steps + count if typed[1] else count
    if found <= step:
        raise UsageError(
            f"steps: {found:,} are no more than the {step:,} that are done", f"+{max(1000, steps // 2)} adds some"
        )
    return found


def extend(run: RunFolder, text: str) -> RunSettings:
    """Give the run the steps that `text` means, and write it down; the next trainer keeps to it.

    A run by the clock becomes one by steps. Raises UsageError, RunError where it is being trained or has nothing to go
    on from, StorageError.
    """
    check_own(run)
    if live_status(run) is not None:
        raise RunError(f"{run.model.name} is being trained now", f"`{own_command('stop', run.model.name)}` first")
    settings = run.read_settings()
    training = settings.training
    try:
        status = run.read_status()
        step, steps = status.step, steps_of(settings, status)
    except NotFoundError:
        step, steps = 0, training.steps
    if step and not run.resume.is_file():
        raise RunError(
            f"{run.model.name} has no state to go on from: {run.resume} is missing",
            f"start a new run from its weights: `{own_command('train', '--from', run.model.name)} --corpus NAME|FILE`",
        )
    total = new_steps(text, step, steps)
    longer = changed(training, {"steps": total, "minutes": 0.0})
    longer = msgspec.structs.replace(longer, architecture=training.architecture)
    extensions = settings.extensions
    if step:
        extensions = [*extensions, Extension(at=step, steps_before=steps)]
    settings = msgspec.structs.replace(settings, training=longer, extensions=extensions)
    run.write_settings(settings)
    return settings
