"""Changing a run's number of steps, to more or fewer; no torch.

What that means for the learning rate is in training/schedule.py.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.corpora.read import sha256_of
from tinygpt_tui.errors import CorpusError, NotFoundError, RunError, UsageError
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import live_status
from tinygpt_tui.runs.folder import RunFolder, RunSettings, steps_of
from tinygpt_tui.settings.fields import changed
from tinygpt_tui.settings.training import Extension

LARGEST_CHECKED = 1 << 26  # bytes of a text that is read again before it is trained on
STEPS = re.compile(r"(\+?)\s*([\d_,]+)")


def check_own(run: RunFolder) -> None:
    """Raise RunError if a run is not the user's own: then it cannot be resumed."""
    if run.model.parent.resolve() != paths.models_folder().resolve():
        raise RunError(
            f"{run.model.name} came with the program and stays as it is",
            f"start a new run from it: `{own_command('train', '--from', run.model.name)} --corpus NAME|FILE`",
        )


def new_steps(text: str, step: int, steps: int) -> int:
    """Return the total number of steps that `text` means, `+2000` or `5000`, for a run at `step` of `steps`.

    Raises UsageError if that is not a number, or not beyond `step`.
    """
    typed = STEPS.fullmatch(text.strip())
    if typed is None:
        raise UsageError(f"steps: {text!r} is not a number of steps", "+2000 adds steps; 5000 sets the total")
    count = int(re.sub("[_,]", "", typed[2]))
    found = steps + count if typed[1] else count
    if found <= step:
        raise UsageError(
            f"steps: {found:,} are not more than the {step:,} that are done", f"+{max(1000, steps // 2)} adds some"
        )
    return found


def extended(run: RunFolder, text: str) -> RunSettings:
    """Return the run's settings with the steps that `text` means; nothing is written: its next trainer does that.

    A timed run becomes one of a number of steps. Raises UsageError, RunError if it is being trained or cannot continue.
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
            f"{run.model.name} has no state to resume from: {run.resume} is missing",
            f"start a new run from its weights: `{own_command('train', '--from', run.model.name)} --corpus NAME|FILE`",
        )
    total = new_steps(text, step, steps)
    longer = changed(training, {"steps": total, "minutes": 0.0})
    longer = msgspec.structs.replace(longer, architecture=training.architecture)
    extensions = settings.extensions
    if step:
        extensions = [*extensions, Extension(at=step, steps_before=steps)]
    return msgspec.structs.replace(settings, training=longer, extensions=extensions)


def check_resumable(run: RunFolder) -> None:
    """Raise what would make the trainer of a started run fail: a missing or changed text, a damaged state.

    Of a very large text only the existence is checked.
    """
    if not run.resume.is_file():
        return
    try:
        with zipfile.ZipFile(run.resume) as state:
            damaged = state.testzip() is not None
    except (OSError, zipfile.BadZipFile):
        damaged = True
    if damaged:
        raise RunError(f"{run.resume} is damaged", "delete it to train again from the first step")
    corpus = run.read_settings().corpus
    path = Path(corpus.path)
    try:
        same = path.stat().st_size > LARGEST_CHECKED or corpus.sha256 in ("", sha256_of(path))
    except OSError as error:
        found = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise CorpusError(f"the text of this run, {path}, {found}", text_hint(run)) from None
    if not same:
        raise text_changed(run, path)


def text_changed(run: RunFolder, path: Path) -> CorpusError:
    return CorpusError(f"{path} is not the text that this run started with", text_hint(run, path))


def text_hint(run: RunFolder, path: Path | None = None) -> str:
    """Return what helps if a run's text has changed (its `path`) or is missing."""
    place = str(path) if path else "FILE"
    start = own_command("train", "--from", run.model.name, "--corpus", place)
    return f"put the old text back, or start a new run from these weights: `{start}`"
