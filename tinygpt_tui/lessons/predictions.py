"""How near a prediction was: compared with a number of the program, or by its words."""

from __future__ import annotations

import re

import msgspec

from tinygpt_tui.lessons.answers import NUMBERS, typed_numbers
from tinygpt_tui.lessons.facts import Facts
from tinygpt_tui.lessons.lesson import Lesson

ROUNDING = 1e-9


class Outcome(msgspec.Struct, frozen=True):
    """What became of a prediction. `right` is None where its words do not tell; `value` is the number that came out.

    `off` is how far the prediction was from it, None where it had no number.
    """

    right: bool | None = None
    value: float | None = None
    off: float | None = None


def judge(lesson: Lesson, predicted: str, facts: Facts) -> Outcome:
    """Compare a prediction with what came out."""
    if lesson.predicted is None:
        return Outcome(_by_words(lesson, predicted))
    value = NUMBERS[lesson.predicted.of](facts, **lesson.predicted.arguments)
    if value is None:
        return Outcome()
    off = min((abs(typed - value) for typed in typed_numbers(predicted)), default=None)
    return Outcome(off is not None and off <= lesson.predicted.within + ROUNDING, value, off)


def _by_words(lesson: Lesson, predicted: str) -> bool | None:
    typed = set(re.findall(r"\w+", predicted.lower()))
    right, wrong = (bool(typed & set(words)) for words in (lesson.texts.right_words, lesson.texts.wrong_words))
    return right and not wrong if right or wrong else None
