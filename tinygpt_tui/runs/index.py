"""All runs, live and past, and how to create one; no torch."""

from __future__ import annotations

import difflib
import re
import unicodedata
from pathlib import Path
from typing import Literal

import filelock
import msgspec

from tinygpt_tui import paths
from tinygpt_tui.errors import NotFoundError, RunError, TinyGPTError, UsageError, storage_error
from tinygpt_tui.files import is_file, is_folder, remove_folder
from tinygpt_tui.runs.control import is_alive
from tinygpt_tui.runs.folder import LIVE, RunFolder, RunSettings, RunState, RunStatus

LONGEST_NAME = 64
MOST_NAMED = 5  # runs that an error names if none has a similar name
GOOD_NAME = re.compile(r"[^\W_][\w .-]*", re.UNICODE)


class RunCard(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table of runs. A trainer that ended without a report shows as "failed"."""

    name: str
    path: str
    origin: Literal["shipped", "yours"]
    state: RunState
    step: int
    steps: int
    corpus: str
    preset: str
    created: float
    message: str = ""

    @property
    def live(self) -> bool:
        return self.state in LIVE


def list_runs() -> list[RunCard]:
    """Return the cards of all runs: the user's, the newest first, and the included ones by name."""
    cards = []
    places: tuple[tuple[Path, Literal["shipped", "yours"]], ...] = (
        (paths.models_folder(), "yours"),
        (paths.shipped_models(), "shipped"),
    )
    for place, origin in places:
        for run in _runs_in(place):
            try:
                cards.append(_card(run, origin))
            except NotFoundError:
                continue  # deleted while we looked
            except Exception as error:  # of any kind: the other runs must still be listed
                cards.append(_problem_card(run, origin, error))
    return sorted(cards, key=_place_of)


def _place_of(card: RunCard) -> tuple[bool, bool, float, str]:
    """Return the place of a run among others, those that cannot be read last."""
    included = card.origin == "shipped"
    return not card.created, included, 0.0 if included else -card.created, card.name


def find_run(name: str) -> RunFolder:
    """Return the run of the model that `name` means, the user's own before a shipped one. Raises NotFoundError."""
    for place in (paths.models_folder(), paths.shipped_models()):
        run = RunFolder(paths.entry_named(place, name))
        if is_file(run.settings):
            return run
    known = [card.name for card in list_runs()]
    near = difflib.get_close_matches(name, known, n=3) or known[:MOST_NAMED]
    hint = f"runs: {', '.join(near)}{', …' if len(known) > len(near) else ''}; `tinygpt-tui runs` lists all"
    raise NotFoundError(f"no run is called {name!r}", hint if near else "there are no runs yet")


def create_run(settings: RunSettings) -> RunFolder:
    """Create a model folder with the run's settings in it, ready for a trainer.

    Raises UsageError for an invalid name, RunError if it is taken, StorageError, also if its trainer could not lock it:
    then no folder is left, and the name stays free.
    """
    name = check_name(settings.name)
    settings = msgspec.structs.replace(settings, name=name)
    model = paths.models_folder() / name
    try:
        model.parent.mkdir(parents=True, exist_ok=True)
        model.mkdir()
    except FileExistsError:
        raise taken(model) from None
    except OSError as error:
        raise storage_error(error, model) from error
    run = RunFolder(model)
    try:
        run.write_settings(settings)
        with filelock.FileLock(run.lock):
            pass
    except OSError as error:
        remove_folder(model)
        raise storage_error(error, run.lock) from error
    except BaseException:
        remove_folder(model)
        raise
    return run


def discard_unstarted(run: RunFolder) -> None:
    """Remove the folder of a new run that could not start; one that has a journal stays."""
    if not (run.events.exists() and run.events.stat().st_size):
        remove_folder(run.model)


def check_name(name: str) -> str:
    """Return `name` for a new model, its accents composed.

    Raises UsageError if no folder can have it, or if it would hide a model that comes with the program.
    """
    name = paths.composed(name)
    letters = "".join(one for one in name if not unicodedata.category(one).startswith("M"))  # vowel signs, as in हिन्दी
    if not GOOD_NAME.fullmatch(letters) or len(name) > LONGEST_NAME or name.endswith((" ", ".")):
        raise UsageError(
            f"name: {name!r} cannot be a folder's name",
            f"use letters, digits, spaces, dots, _ and -, starting with a letter or digit; {LONGEST_NAME} characters "
            "at most",
        )
    if paths.is_reserved(name):
        raise UsageError(f"name: {name!r} is the name of a device on Windows", "use a name that is not a device's")
    if is_folder(paths.shipped_models() / name):
        raise UsageError(
            f"name: {name!r} is a model that comes with the program, which yours would hide",
            f"choose another name: {free_name(name)} is free",
        )
    return name


def taken(model: Path) -> RunError:
    """Return the error for a name that is taken: no model can be created at `model`."""
    if is_file(model) or any(is_file(path) for path in (RunFolder(model).settings, *model.glob("*.*"))):
        return RunError(f"there is a model called {model.name!r} already", "choose another name")
    return RunError(f"the folder {model} is in the way: it holds no model", "delete it, or choose another name")


def free_name(name: str) -> str:
    """Return `name`, or `name-2`, `name-3` … if a model has that name, or one that a file system takes for the same.

    Those of macOS and Windows ignore case.
    """
    found = {
        paths.composed(path.name).casefold()
        for place in (paths.models_folder(), paths.shipped_models())
        if place.is_dir()
        for path in place.iterdir()
    }
    free = name = paths.composed(name)
    number = 2
    while paths.composed(free).casefold() in found or paths.is_reserved(free):
        free, number = f"{name}-{number}", number + 1
    return free


def _card(run: RunFolder, origin: Literal["shipped", "yours"]) -> RunCard:
    settings = run.read_settings()
    try:
        status, message = _true_status(run), "it never started"
    except RunError as error:  # damaged; what the run has written is still there
        status, message = None, error.message
    return RunCard(
        name=run.model.name,
        path=str(run.model),
        origin=origin,
        state=status.state if status else "failed",
        step=status.step if status else 0,
        steps=status.steps if status else settings.training.steps,
        corpus=settings.corpus.name,
        preset=settings.preset,
        created=settings.created,
        message=status.message if status else message,
    )


def _problem_card(run: RunFolder, origin: Literal["shipped", "yours"], error: Exception) -> RunCard:
    """Return the card of a run that cannot be read, which says why."""
    words = error.message if isinstance(error, TinyGPTError) else f"cannot be read: {type(error).__name__}: {error}"
    return RunCard(
        name=run.model.name, path=str(run.model), origin=origin, state="failed", step=0, steps=0, corpus="", preset="",
        created=0.0, message=words,
    )  # fmt: skip


def _true_status(run: RunFolder) -> RunStatus | None:
    try:
        status = run.read_status()
    except NotFoundError:
        return None
    if status.state in LIVE and not is_alive(status):
        return msgspec.structs.replace(status, state="failed", message="its trainer ended unexpectedly")
    return status


def _runs_in(place: Path) -> list[RunFolder]:
    try:
        return [RunFolder(model) for model in place.iterdir() if is_file(RunFolder(model).settings)]
    except OSError:
        return []
