"""The sampling settings as a form: made from the settings' own fields, checked while one types."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.fields import SettingField, changed, fields_of, parse_value, written
from tinygpt_tui.settings.sampling import SamplingSettings, without_effect
from tinygpt_tui.ui.shared.choice_box import ChoiceBox
from tinygpt_tui.ui.shared.wrapping import wrap

FILL_AFTER_S = 0.15
PLACEHOLDERS = {"seed": "new", "stop": "never", "banned": "none", "allowed": "all"}
LEAST_NOTE = 2  # lines
MORE = "… F1"
WRONG, RIGHT = "✗ ", "  "
HINTS = {
    "stop": r"Several with ` | ` between; \n is a new line, \| a bar.",
    "banned": r"\n is a new line.",
    "allowed": r"\n is a new line.",
}


class SamplingForm(Vertical):
    """One box a setting. `settings` is what all the boxes say; None while one of them cannot be."""

    HELP: ClassVar[str | None] = (
        "How the next token is drawn, and when a text ends. A change counts from the next Enter on; a value that "
        "cannot be is marked with ✗, and the reason stands below.\n\n"
        "↑ and ↓ go from box to box; in a box with `‹ ›` space, → and ← change the value. `\\n` means a new line, "
        "`\\t` a tab, `\\\\` a backslash; in `stop` several texts have ` | ` between them.\n\n"
        + "\n".join(f"- **{field.title}**: {field.description}" for field in fields_of(SamplingSettings).values())
    )
    DEFAULT_CSS = """
    SamplingForm {
        width: 38;
        padding: 0 0 0 1;
        & > SettingBoxes { height: 1fr; scrollbar-size-vertical: 1; }
        & > .-note { height: auto; padding: 0 1 0 0; }
    }
    """
    # With priority, so that what is typed right behind an arrow goes into the next box and not into this one.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "go(1)", "Next box", id="sampling.next", show=False, priority=True, tooltip="The next box"),
        Binding(
            "up", "go(-1)", "Box before", id="sampling.previous", show=False, priority=True, tooltip="The box before"
        ),
    ]

    class Changed(Message):
        """The boxes say something else; `problem` is why they cannot be used, or empty.

        `typed`: by the user, not by `show`.
        """

        def __init__(self, settings: SamplingSettings | None, problem: str, typed: bool) -> None:
            super().__init__()
            self.settings, self.problem, self.typed = settings, problem, typed

    class Submitted(Message):
        """Enter was pressed in a box."""

    def __init__(self, settings: SamplingSettings | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "sampling"
        self.settings: SamplingSettings | None = settings or SamplingSettings()
        self.problem = ""
        self._rows = {
            name: SettingBox(field, written(getattr(self.settings, name)))
            for name, field in fields_of(SamplingSettings).items()
        }
        self._looked_at: SettingBox | None = None
        self._note = Static("", classes="-note", markup=False)

    def on_mount(self) -> None:
        """Put the boxes in behind the first picture: they are half of all widgets, and nobody types here first."""
        self.set_timer(FILL_AFTER_S, self._fill)

    def focus_first(self) -> None:
        """Go to the first box, or to the first that is wrong."""
        self._fill()
        rows = list(self._rows.values())
        first = next((row for row in rows if row.problem), rows[0])
        self.call_after_refresh(first.focus_box)

    def action_go(self, by: int) -> None:
        """Go to the next box, or to the one before; round the ends."""
        rows = list(self._rows.values())
        focused = self.screen.focused
        here = next((place for place, row in enumerate(rows) if focused and row in focused.ancestors), -by)
        rows[(here + by) % len(rows)].focus_box()

    def _fill(self) -> None:
        if not self.children:
            self.mount(SettingBoxes(*self._rows.values()), self._note)

    def show(self, settings: SamplingSettings) -> None:
        """Put other values into the boxes."""
        for name, row in self._rows.items():
            row.set_text(written(getattr(settings, name)))
        self._check(typed=False)

    def on_setting_box_changed(self, message: SettingBox.Changed) -> None:
        """Look at the new value."""
        message.stop()
        self._check()

    def _check(self, typed: bool = True) -> None:
        problems: list[str] = []
        values: dict[str, Any] = {}
        for name, row in self._rows.items():
            try:
                values[name] = parse_value(row.field, row.text)
                changed(SamplingSettings(), {name: values[name]})
                row.show_problem("")
            except UsageError as error:
                row.show_problem(error.problem)
                problems.append(error.message)
        settings = None if problems else changed(SamplingSettings(), values)
        problem = problems[0] if problems else ""
        self._explain()
        if (settings, problem) != (self.settings, self.problem):
            self.settings, self.problem = settings, problem
            self.post_message(self.Changed(settings, problem, typed))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain the setting that is looked at."""
        self._looked_at = next((row for row in self._rows.values() if row in event.widget.ancestors), None)
        self._explain()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Nobody looks at it any more."""
        self._looked_at = None
        self._explain()

    def _explain(self) -> None:
        """Say below the boxes what the setting in sight means, or why its value cannot be."""
        row = self._looked_at or next((row for row in self._rows.values() if row.problem), None)
        wrong = row is not None and bool(row.problem)
        if row is None:
            said = ""
        elif wrong:
            said = f"{WRONG}{row.field.title}: {row.problem}"
        else:
            said = f"{row.field.title}: {row.field.description}. {HINTS.get(row.field.name, '')}".strip()
            if self.settings is not None and row.field.name in without_effect(self.settings):
                said = f"{said} No effect at temperature 0."
        self._note.set_class(wrong, "-wrong")
        self._note.update(self._fitted(said))

    def _fitted(self, note: str) -> str:
        """Cut a note to the lines that the boxes leave; help has all of it."""
        room = max(LEAST_NOTE, self.content_size.height - len(self._rows))
        width = self.content_size.width - 1
        lines = wrap(note, 0, width) if width > len(MORE) else []
        if len(lines) <= room:
            return note
        last = lines[room - 1]
        return note[: min(last.end, last.start + width - len(MORE))].rstrip() + MORE

    def on_resize(self, event: events.Resize) -> None:
        """Fit the note again."""
        self._explain()

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Submitted())


class SettingBoxes(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The boxes, which scroll only to show the one in use: the arrows go from box to box."""


class SettingBox(Horizontal):
    """A setting's name and box, in one line whatever they say."""

    DEFAULT_CSS = """
    SettingBox {
        height: 1;
        margin: 0 1 0 0;
        & > .-title { width: 22; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & > Input { width: 1fr; height: 1; border: none; padding: 0; }
    }
    """

    class Changed(Message):
        """Something else stands in the box."""

    def __init__(self, field: SettingField, text: str) -> None:
        super().__init__()
        self.field = field
        self.problem = ""
        self.text = text
        self.tooltip = field.description

    def compose(self) -> ComposeResult:
        """Yield name and box."""
        field, id = self.field, f"sampling-{self.field.name}"
        yield Static(self._title, classes="-title", markup=False)
        choices = ("yes", "no") if field.kind is bool else field.choices
        if choices:
            yield ChoiceBox(choices, self.text, id=id)
        else:
            placeholder = PLACEHOLDERS.get(field.name, "")
            yield Input(self.text, placeholder=placeholder, compact=True, id=id)

    @property
    def _title(self) -> str:
        return f"{WRONG if self.problem else RIGHT}{self.field.title}"

    @property
    def _box(self) -> Widget:
        return self.query_one("Input, ChoiceBox")

    def focus_box(self) -> None:
        """Go into the box at once; `focus` would do it later, behind keys that are waiting."""
        self.screen.set_focus(self._box)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Take what was typed; a box tells its first value too, when it is mounted."""
        message.stop()
        self._take(message.value)

    def on_choice_box_changed(self, message: ChoiceBox.Changed) -> None:
        """Take what was chosen."""
        message.stop()
        self._take(message.value)

    def _take(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self.post_message(self.Changed())

    def set_text(self, text: str) -> None:
        """Put a value in, without a message."""
        self.text = text
        if self.is_mounted:
            box = self._box
            if isinstance(box, Input | ChoiceBox):
                box.value = text

    def show_problem(self, problem: str) -> None:
        """Mark the value as one that cannot be; with nothing to say, as one that can."""
        if problem == self.problem:
            return
        self.problem = problem
        self.set_class(bool(problem), "-invalid")
        if self.is_mounted:
            self.query_one(".-title", Static).update(self._title)

    def on_click(self, event: events.Click) -> None:
        """A click on the name means the box."""
        self.focus_box()
