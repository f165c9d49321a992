"""The lesson beside what it is about: the idea, what to do, a question, hints; a strip where the screen is narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.markup import escape
from textual.widget import Widget
from textual.widgets import Input, Static

from tinygpt_tui.lessons.labels import prediction_words
from tinygpt_tui.ui.shared.binding import bind, bind_hidden

if TYPE_CHECKING:
    from tinygpt_tui.ui.learn.guide import LessonGuide

WIDE_COLUMNS = 120  # from which the pane is beside the tab instead of below it
STAGES = ("idea", "predict", "task", "question", "solved")


class AnswerInput(Input):
    """A line for a prediction or an answer."""

    BINDINGS = [
        bind("escape", "leave", "Back", "lesson.no_answer", "Back to the lesson, without an answer"),
    ]

    def action_leave(self) -> None:
        if isinstance(self.parent, LessonPane):
            self.parent.focus()


class LessonPane(Vertical, can_focus=True):
    """Shows the lesson that is open; its keys work while it has the focus."""

    HELP = """## Lesson

Read the idea, do what the task says in the real app, then answer the question: its answer is somewhere in the app. The
program sees by itself when the task is done.

Enter goes to the next part or to the answer, `h` shows a hint and then a second one, Left and Right show the other
parts again, `n` opens the next lesson, `l` the list of all, `q` closes the lesson. Esc goes back to the app; the lesson
stays, and the key in its border comes back to it.
"""
    DEFAULT_CSS = """
    LessonPane {
        dock: bottom; height: auto; min-height: 3; max-height: 6; margin: 0 0 1 0; padding: 0 1;
        border: round $border; border-title-color: $accent; border-title-style: bold;
        border-subtitle-color: $text-muted; background: $surface;
        & > VerticalScroll { height: auto; max-height: 1fr; scrollbar-size-vertical: 1; background: $surface; }
        & Static { height: auto; background: $surface; }
        & > AnswerInput {
            display: none; border: none; height: 1; padding: 0; background: $panel;
        }
        & > AnswerInput:focus { background: $primary 25%; border: none; }
        &.-answering > AnswerInput { display: block; }
        &.-asks { border: round $success; border-subtitle-color: $success; border-subtitle-style: bold; }
        &:focus, &:focus-within { border: round $primary; max-height: 10; }
        &.-wide {
            dock: right; width: 42; height: 1fr; max-height: 100%; margin: 1 0;
            & > VerticalScroll { height: 1fr; }
        }
    }
    """
    BINDINGS = [
        bind("enter", "go", "Next", "lesson.next_part", "The next part, or the line for your answer"),
        bind("enter", "answer", "Answer", "lesson.answer", "Type your answer"),
        bind("h", "hint", "Hint", "lesson.hint", "A hint; press again for another one"),
        bind("n", "next", "Skip", "lesson.next", "Open the next lesson that is not done"),
        bind("l", "list", "List", "lesson.list", "All lessons"),
        bind("left", "part(-1)", "Parts", "lesson.part", "The part before this one", display="←→"),
        bind_hidden("right", "part(1)", "Part after", "lesson.part_on", "The part after this one"),
        bind_hidden("up", "scroll(-1)", "Up", "lesson.up", "Scroll the lesson up"),
        bind_hidden("down", "scroll(1)", "Down", "lesson.down", "Scroll the lesson down"),
        bind("q", "close", "Close", "lesson.close", "Close the lesson; its progress is saved"),
        bind("escape", "leave", "App", "lesson.leave", "Back to the app; the lesson stays"),
    ]

    def __init__(self, guide: LessonGuide) -> None:
        super().__init__(id="lesson")
        self.guide = guide
        self._part: str | None = None  # None: the newest
        self._before: Widget | None = None  # what had the focus

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static("", id="lesson-text", markup=False)
        yield AnswerInput(select_on_focus=False, id="lesson-answer", compact=True)

    def on_mount(self) -> None:
        self.show_lesson()

    def on_unmount(self) -> None:
        self.screen.remove_class("-lesson")

    # Showing

    @property
    def parts(self) -> list[str]:
        """The parts that can be read by now."""
        lesson = self.guide.course.lesson
        if lesson is None:
            return []
        reached = STAGES.index(self.guide.course.state.stage)
        return [part for part in STAGES[: reached + 1] if part != "predict" or lesson.texts.predict]

    def show_newest(self) -> None:
        """Show the newest part."""
        self._part = None
        self.show_lesson()

    def show_lesson(self) -> None:
        """Show the lesson as it is now."""
        course, words = self.guide.course, self.guide.words
        lesson, parts = course.lesson, self.parts
        if lesson is None or not self.query("#lesson-text"):
            return
        is_wide = self.app.size.width >= WIDE_COLUMNS
        self.set_class(is_wide, "-wide")
        self.screen.set_class(not is_wide, "-lesson")
        part = self._part if self._part in parts else parts[-1]
        place, title = words["lesson"].format(number=lesson.number, count=len(course.lessons)), lesson.texts.title
        self.border_title = escape(place if is_wide else f"{place}: {title}")  # beside the tab, both have no room
        is_asked = course.state.stage == "question" and not self.has_focus_within
        self.set_class(is_asked, "-asks")
        to_lesson = words["task_done" if is_asked else "to_lesson"].format(key=self.guide.key)
        self.border_subtitle = escape("" if self.has_focus_within else to_lesson)
        texts = [self._in_words(one, current=one == part) for one in (parts if is_wide else [part])]
        text = Text("\n\n").join([Text(title, "bold"), *texts] if is_wide else texts)
        self.query_one("#lesson-text", Static).update(text)
        self.refresh_bindings()
        if is_wide:
            self.call_after_refresh(self.query_one(VerticalScroll).scroll_end, animate=False)

    def _in_words(self, part: str, *, current: bool) -> Text:
        lesson, state, words = self.guide.course.lesson, self.guide.course.state, self.guide.words
        assert lesson is not None
        text = Text()
        left = self.guide.still_to_do if part == "task" else []
        steps = f"{words['still_to_do']}: {'; '.join(map(self.guide.with_keys, left))}"
        if left and len(left) < len(lesson.texts.steps) and not self.has_class("-wide") and not self.has_focus_within:
            return text.append(f"▸ {steps}", "bold")  # in a few lines, what was not done yet matters more
        mark = "✓ " if part == "solved" or STAGES.index(part) < STAGES.index(state.stage) else "▸ "
        text.append(f"{mark}{words[part]}: ", "bold" if current else "")
        text.append(self.guide.with_keys(getattr(lesson.texts, part)))
        if part in ("predict", "solved") and state.predicted:
            text.append(f"\n{words['predicted']}: {prediction_words(state.predicted, state.outcome, words)}")
        if left:
            text.append(f"\n{steps}", "bold")
        if part == state.stage and part in ("task", "question"):
            for number, hint in enumerate(lesson.texts.hints[: state.hints], start=1):
                text.append(f"\n{words['hint']} {number}: {self.guide.with_keys(hint)}", "italic")
        if part == "question" and state.stage == "question" and (wrong := self.guide.course.last_wrong):
            said = words["wrong" if self.guide.has_hint else "wrong_again"]
            text.append("\n" + said.format(answer=wrong), "bold")
        return text

    # The focus

    def enter(self) -> None:
        """Give the lesson the focus; Esc gives it back."""
        if not self.has_focus_within:
            self._before = self.screen.focused
        self.focus()

    def action_leave(self) -> None:
        self._part = None
        if self._before is not None and self._before.is_attached and self._before.focusable:
            self.screen.set_focus(self._before)
        else:
            self.screen.focus_next()

    def on_focus(self) -> None:
        self.show_lesson()

    def on_blur(self) -> None:
        self.call_after_refresh(self.show_lesson)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.guide.course.lesson is None:
            return True
        stage = self.guide.course.state.stage
        match action:
            case "go":
                return stage in ("idea", "solved")
            case "answer":
                return stage in ("predict", "question")
            case "hint":
                return stage in ("task", "question") and self.guide.has_hint
            case "next":
                return self.guide.course.next_lesson is not None
            case "part":
                return len(self.parts) > 1 and not self.has_class("-wide")
        return True

    def action_go(self) -> None:
        """Go to the next part; from the idea back to the app, where the task is done."""
        if self.guide.course.state.stage == "solved":
            self.guide.open_next()
            return
        self.guide.read_idea()
        if self.guide.course.state.stage == "predict":
            self.action_answer()
        else:
            self.action_leave()

    def on_key(self, event: events.Key) -> None:
        """Open the line for the answer also with the answer's first digit."""
        if self.has_focus and event.character and event.character.isdigit() and self.check_action("answer", ()):
            event.stop()
            self.action_answer(event.character)

    def action_answer(self, typed: str = "") -> None:
        """Open the line for the answer, with what was typed of it."""
        self.show_newest()
        self.add_class("-answering")
        line = self.query_one(AnswerInput)
        line.value, line.placeholder = typed, self.guide.words["placeholder"]
        line.focus()
        line.cursor_position = len(typed)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        if not message.value.strip():
            return
        predicting = self.guide.course.state.stage == "predict"
        self.guide.submit(message.value)
        if predicting:
            self.remove_class("-answering")
            self.action_leave()
        else:  # also after a wrong answer: the lesson's keys show a hint, or this line again
            self.remove_class("-answering")
            self.focus()
        self.show_newest()

    def on_descendant_blur(self) -> None:
        self.remove_class("-answering")
        self.call_after_refresh(self.show_lesson)

    def action_hint(self) -> None:
        self.guide.show_hint()

    def action_next(self) -> None:
        self.guide.open_next()

    def action_list(self) -> None:
        self.guide.open_list()

    def action_close(self) -> None:
        self.action_leave()
        self.guide.close()

    def action_part(self, direction: int) -> None:
        parts = self.parts
        at = parts.index(self._part) if self._part in parts else len(parts) - 1
        self._part = parts[min(max(at + direction, 0), len(parts) - 1)]
        self.show_lesson()

    def action_scroll(self, direction: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=direction, animate=False)
