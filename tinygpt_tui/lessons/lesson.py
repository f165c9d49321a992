"""A lesson as its TOML file has it; texts alone in the file of a translation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Place = Literal["generate", "train", "race", "runs", "inspect"]
Title = Annotated[str, Meta(min_length=1, max_length=40)]
Paragraph = Annotated[str, Meta(min_length=1, max_length=420)]
Step = Annotated[str, Meta(min_length=1, max_length=100)]
Word = Annotated[str, Meta(min_length=1, max_length=40)]
MOST_HINTS = 2


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to do: the name of a function in checks.py, and its arguments."""

    check: str
    arguments: dict[str, Any] = {}


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The right answer: the name of a function in answers.py, its arguments, and how far off a number may be."""

    of: str
    arguments: dict[str, Any] = {}
    within: Annotated[float, Meta(ge=0)] = 0.0


class Texts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a learner reads, and so all that is translated.

    `predict` may be empty: no prediction is asked for. One in words is right if it has one of `right_words` and none of
    `wrong_words`, both in small letters. `steps` name the things to do in a few words, in their order.
    """

    title: Title
    idea: Paragraph
    predict: Annotated[str, Meta(max_length=240)] = ""
    right_words: list[Word] = []
    wrong_words: list[Word] = []
    task: Paragraph
    steps: list[Step] = []
    question: Paragraph
    hints: Annotated[list[Paragraph], Meta(min_length=1, max_length=MOST_HINTS)]
    solved: Paragraph


class LessonFile(Texts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lesson's file: its texts, the tab it starts on, how long it takes, and what counts as done.

    `predicted` is what a prediction in numbers is compared with at the end; with `restore_sampling` the user's sampling
    settings are again what they were before the lesson.
    """

    place: Place
    minutes: Annotated[int, Meta(ge=1, le=60)] = 3
    predicted: Answer | None = None
    restore_sampling: bool = False
    done: Annotated[list[Check], Meta(min_length=1)]
    answer: Answer


class Lesson(msgspec.Struct, frozen=True):
    """A lesson of a pack. `id` is its file's name without the ending; `number` counts from 1."""

    id: str
    number: int
    texts: Texts
    place: Place
    minutes: int
    done: tuple[Check, ...]
    answer: Answer
    predicted: Answer | None = None
    restore_sampling: bool = False
