"""The list of lessons: open any one, or start one from the beginning."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tinygpt_tui.lessons.course import Course
from tinygpt_tui.lessons.lesson import Lesson
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shell.key_bar import KeyBar

WIDTH = 60


class Chosen(NamedTuple):
    """What to do with a lesson: open it, or forget its progress first."""

    lesson: Lesson
    reset: bool = False


class LessonOptions(OptionList):
    """The lessons; ✓ marks those that are done, ▸ the one that is open."""

    HELP = """## Lessons

Twenty lessons of two to five minutes, in the real app. Enter opens one: any one, at any time. ✓ marks those that are
done, ▸ the one that is open. `r` starts a lesson from the beginning: its answers are forgotten; your texts, models and
runs stay.
"""
    BINDINGS = [
        bind("enter", "select", "Open", "lessons.open", "Open this lesson"),
    ]


class LessonList(Dialog[Chosen]):
    """Dismisses with the lesson to open, or with None."""

    DEFAULT_CSS: ClassVar[str] = """
    LessonList {
        & > DialogBox { width: 64; max-width: 100%; max-height: 96%; }
        & OptionList { height: auto; max-height: 1fr; }
    }
    """
    BINDINGS = [
        bind("r", "reset", "Start again", "lessons.reset", "Forget this lesson's answers, and open it"),
    ]

    def __init__(self, course: Course, words: dict[str, str], *, is_open: bool) -> None:
        done = sum(course.is_done(lesson) for lesson in course.lessons)
        super().__init__(words["lessons"].format(done=done, count=len(course.lessons)))
        self._course, self._words, self._is_open = course, words, is_open

    def compose_body(self) -> ComposeResult:
        yield LessonOptions(*(Option(self._line(lesson)) for lesson in self._course.lessons), markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        course = self._course
        first = course.lesson or course.next_lesson or course.lessons[0]
        options = self.query_one(LessonOptions)
        options.highlighted = first.number - 1
        options.focus()

    def _line(self, lesson: Lesson) -> str:
        is_open = self._is_open and lesson is self._course.lesson
        mark = "▸" if is_open else "✓" if self._course.is_done(lesson) else " "
        name, minutes = f"{mark} {lesson.number:>2}  {lesson.texts.title}", lesson.minutes
        time = self._words["minutes"].format(minutes=minutes)
        return name + " " * max(1, WIDTH - 4 - cell_len(name) - cell_len(time)) + time

    @property
    def _highlighted(self) -> Lesson | None:
        at = self.query_one(LessonOptions).highlighted
        return None if at is None else self._course.lessons[at]

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.dismiss(Chosen(self._course.lessons[message.option_index]))

    def action_reset(self) -> None:
        if (lesson := self._highlighted) is not None:
            self.dismiss(Chosen(lesson, reset=True))
