"""What the learner has done, by lesson; one JSON file in the program's home, written whole."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from tinygpt_tui import files, paths
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.lessons.facts import Seen
from tinygpt_tui.lessons.predictions import Outcome
from tinygpt_tui.reading import Damage, read_json

Stage = Literal["idea", "predict", "task", "question", "solved"]
MOST_ATTEMPTS, MOST_SEEN, LONGEST_ANSWER = 20, 300, 200


class Attempt(msgspec.Struct, frozen=True):
    """An answer as it was typed, and when: seconds since 1970."""

    time: float
    text: str
    right: bool


class LessonProgress(msgspec.Struct):
    """One lesson: how far it is, what was typed, which hints were read, what was looked at since it was opened.

    `sampling` are the settings from before the lesson, where it gives them back.
    """

    opened: float = 0.0
    stage: Stage = "idea"
    predicted: str = ""
    outcome: Outcome = Outcome()
    sampling: str | None = None
    attempts: list[Attempt] = []
    hints: int = 0
    done: float = 0.0
    seen: list[Seen] = []


class Progress(msgspec.Struct):
    """All lessons by pack and id; `current` is the one that is open, empty if none is."""

    format: int = 1
    current: str = ""
    lessons: dict[str, LessonProgress] = {}


def progress_file() -> Path:
    return paths.home() / "lessons.json"


def load_progress() -> tuple[Progress, str]:
    """Return the progress, and what is wrong with its file: a damaged one counts as none, and is set aside."""
    path = progress_file()
    try:
        return read_json(path, Progress), ""
    except FileNotFoundError:
        return Progress(), ""
    except OSError as error:
        return Progress(), f"{path}: {error.strerror or error}; the lessons start from the beginning"
    except Damage:
        aside = files.set_aside(path)
        where = f"; it is now {aside.name}" if aside is not None else ""
        return Progress(), f"{path} is damaged{where}; the lessons start from the beginning"


def save_progress(content: bytes) -> TinyGPTError | None:
    """Write the progress, whole or not at all; return why that failed."""
    try:
        files.write_bytes(progress_file(), content)
    except TinyGPTError as error:
        return error
    return None
