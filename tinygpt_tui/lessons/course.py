"""A learner's way through a pack: which lesson is open, what is asked next, whether an answer is right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import msgspec

from tinygpt_tui.lessons.answers import HEADS, NUMBERS, typed_head, typed_numbers
from tinygpt_tui.lessons.checks import CHECKS, counted
from tinygpt_tui.lessons.facts import Facts, Seen
from tinygpt_tui.lessons.lesson import Lesson
from tinygpt_tui.lessons.predictions import ROUNDING, judge
from tinygpt_tui.lessons.progress import LONGEST_ANSWER, MOST_ATTEMPTS, MOST_SEEN, Attempt, LessonProgress, Progress


class Course:
    """The lessons and the progress; `key` makes the same lesson of two packs two lessons."""

    def __init__(
        self,
        lessons: tuple[Lesson, ...],
        progress: Progress,
        pack: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.lessons, self.progress = lessons, progress
        self._pack, self._now = pack, now
        self.last_wrong = ""  # the last answer, if it was wrong

    def key(self, lesson: Lesson) -> str:
        return f"{self._pack}/{lesson.id}" if self._pack else lesson.id

    @property
    def lesson(self) -> Lesson | None:
        return next((one for one in self.lessons if self.key(one) == self.progress.current), None)

    @property
    def state(self) -> LessonProgress:
        return self.progress.lessons.setdefault(self.progress.current, LessonProgress())

    def is_done(self, lesson: Lesson) -> bool:
        """Whether a lesson was done, at any time."""
        state = self.progress.lessons.get(self.key(lesson))
        return state is not None and state.done > 0

    @property
    def next_lesson(self) -> Lesson | None:
        """The first lesson after the open one that is not done; then the first of all; None when all are."""
        at = self.lesson.number if self.lesson is not None else 0
        return next((one for one in (*self.lessons[at:], *self.lessons) if not self.is_done(one)), None)

    def open(self, lesson: Lesson) -> None:
        """Open a lesson where it was left; what is looked at counts from its first opening on."""
        self.progress.current, self.last_wrong = self.key(lesson), ""
        if not self.state.opened:
            self.state.opened = self._now()

    def close(self) -> None:
        """Close the lesson; its progress stays."""
        self.progress.current = ""

    def reset(self, lesson: Lesson) -> None:
        """Forget a lesson's progress, and nothing else."""
        self.progress.lessons.pop(self.key(lesson), None)
        if self.progress.current == self.key(lesson):
            self.open(lesson)

    # The stages

    def read(self) -> None:
        """The idea was read: a prediction is next, or the task."""
        if self.lesson is not None and self.state.stage == "idea":
            self.state.stage = "predict" if self.lesson.texts.predict else "task"

    def predict(self, text: str) -> None:
        """Keep a prediction; how near it was is said at the end."""
        if self.state.stage == "predict" and text.strip():
            self.state.predicted, self.state.stage = text.strip()[:LONGEST_ANSWER], "task"

    def hint(self) -> None:
        """Show a hint, then a second one."""
        if self.lesson is not None:
            self.state.hints = min(self.state.hints + 1, len(self.lesson.texts.hints))

    def add_seen(self, seen: Iterable[Seen]) -> bool:
        """Keep what was looked at, the newest last and each thing once; return whether that changed anything."""
        known, changed = self.state.seen, False
        for one in seen:
            if known and known[-1] == one:
                continue
            if one in known:
                known.remove(one)
            known.append(one)
            changed = True
        del known[:-MOST_SEEN]
        return changed

    def facts(self, facts: Facts) -> Facts:
        """Return the facts with what was looked at since the lesson was opened."""
        return msgspec.structs.replace(facts, seen=tuple(self.state.seen))

    def check_task(self, facts: Facts) -> bool:
        """Go to the question if all that the lesson asks for was done; return whether that is new."""
        if self.lesson is None or self.state.stage != "task":
            return False
        if all(self.done(facts)):
            self.state.stage = "question"
            return True
        return False

    def done(self, facts: Facts) -> list[bool]:
        assert self.lesson is not None
        found = self.facts(facts)
        return [CHECKS[one.check](found, **one.arguments) for one in self.lesson.done]

    def still_to_do(self, facts: Facts) -> list[str]:
        """Return the steps of the task that were not done yet, in the words of the lesson; with a count, if any."""
        if self.lesson is None or self.state.stage != "task":
            return []
        found, left = self.facts(facts), []
        for step, one, done in zip(self.lesson.texts.steps, self.lesson.done, self.done(facts), strict=False):
            if not done:
                count = counted(found, one.check, one.arguments)
                left.append(f"{step} ({count})" if count else step)
        return left

    def answer(self, text: str, facts: Facts) -> bool:
        """Take an answer; return whether it is right."""
        if self.lesson is None or self.state.stage != "question" or not text.strip():
            return False
        right = is_right(self.lesson, text, self.facts(facts))
        self.state.attempts.append(Attempt(self._now(), text.strip()[:LONGEST_ANSWER], right))
        del self.state.attempts[:-MOST_ATTEMPTS]
        self.last_wrong = "" if right else text.strip()
        if right:
            self.state.stage = "solved"
            if self.state.predicted:
                self.state.outcome = judge(self.lesson, self.state.predicted, self.facts(facts))
            self.state.done = self.state.done or self._now()
        return right

    def encoded(self) -> bytes:
        """Return the progress as the file has it."""
        return msgspec.json.format(msgspec.json.encode(self.progress), indent=1) + b"\n"


def is_right(lesson: Lesson, text: str, facts: Facts) -> bool:
    """Whether an answer is right, by what the facts and the models say."""
    answer = lesson.answer
    if answer.of in HEADS:
        return typed_head(text) in HEADS[answer.of](facts, **answer.arguments)
    value = NUMBERS[answer.of](facts, **answer.arguments)
    return value is not None and any(abs(typed - value) <= answer.within + ROUNDING for typed in typed_numbers(text))
