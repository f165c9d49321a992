"""The sampling settings as a form: made from the settings' own fields, checked while one types."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.fields import SettingField, changed, fields_of, parse_value
from tinygpt_tui.settings.sampling import SamplingSettings

ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}
FILL_AFTER_S = 0.15
PLACEHOLDERS = {"seed": "new each time", "stop": r"such as \n\n"}


class SamplingForm(VerticalScroll, can_focus=False):
    """One box a setting. `settings` is what all the boxes say; None while one of them cannot be."""

    HELP: ClassVar[str | None] = (
        "How the next token is drawn. A change counts from the next Enter on; a value that cannot be is marked with ✗ "
        "and the reason. In `stop`, `\\n` means a new line."
    )
    DEFAULT_CSS = """
    SamplingForm { width: 34; padding: 0 0 0 1; scrollbar-size-vertical: 1; }
    """

    class Changed(Message):
        """The boxes say something else; `problem` is why they cannot be used, or empty."""

        def __init__(self, settings: SamplingSettings | None, problem: str) -> None:
            super().__init__()
            self.settings, self.problem = settings, problem

    class Submitted(Message):
        """Enter was pressed in a box."""

    def __init__(self, settings: SamplingSettings | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "sampling"
        self.settings: SamplingSettings | None = settings or SamplingSettings()
        self.problem = ""
        self._rows = {
            name: SettingBox(field, _typed(getattr(self.settings, name)))
            for name, field in fields_of(SamplingSettings).items()
        }

    def on_mount(self) -> None:
        """Put the boxes in behind the first picture: they are half of all widgets, and nobody types here first."""
        self.set_timer(FILL_AFTER_S, self._fill)

    def focus_first(self) -> None:
        """Go to the first box, or to the first that is wrong."""
        self._fill()
        rows = list(self._rows.values())
        first = next((row for row in rows if row.problem), rows[0])
        self.call_after_refresh(lambda: first.query_one(Input).focus())

    def _fill(self) -> None:
        if not self.children:
            self.mount_all(self._rows.values())

    def show(self, settings: SamplingSettings) -> None:
        """Put other values into the boxes."""
        for name, row in self._rows.items():
            row.set_text(_typed(getattr(settings, name)))
        self._check()

    @on(Input.Changed)
    def _check(self, message: Input.Changed | None = None) -> None:
        if message is not None:
            message.stop()
        problems: list[str] = []
        values: dict[str, Any] = {}
        for name, row in self._rows.items():
            try:
                value = parse_value(row.field, row.text)
                values[name] = _unescaped(value) if isinstance(value, str) else value
                changed(SamplingSettings(), {name: values[name]})
                row.show_problem("")
            except UsageError as error:
                row.show_problem(error.message.removeprefix(f"{row.field.title}: "))
                problems.append(error.message)
        settings = None if problems else msgspec.structs.replace(SamplingSettings(), **values)
        problem = problems[0] if problems else ""
        if (settings, problem) != (self.settings, self.problem):
            self.settings, self.problem = settings, problem
            self.post_message(self.Changed(settings, problem))

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Submitted())


class SettingBox(Horizontal):
    """A setting's name and box; below them what it means, or why the value cannot be."""

    DEFAULT_CSS = """
    SettingBox {
        height: auto;
        layout: grid;
        grid-size: 2;
        grid-columns: 15 1fr;
        grid-rows: auto;
        margin: 0 1 1 0;
        & > .-note { column-span: 2; height: auto; }
        & > Input { height: 1; border: none; padding: 0 1; }
    }
    """

    def __init__(self, field: SettingField, text: str) -> None:
        super().__init__()
        self.field = field
        self.problem = ""
        self.text = text
        self.tooltip = field.description

    def compose(self) -> ComposeResult:
        """Yield name, box and note."""
        yield Static(self.field.title, classes="-title", markup=False)
        yield Input(
            self.text,
            placeholder=PLACEHOLDERS.get(self.field.name, ""),
            compact=True,
            id=f"sampling-{self.field.name}",
        )
        yield Static(self.field.description, classes="-note", markup=False)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Keep what stands in the box; the form around checks it."""
        self.text = message.value

    def set_text(self, text: str) -> None:
        """Put a value in."""
        self.text = self.query_one(Input).value = text

    def show_problem(self, problem: str) -> None:
        """Say why the value cannot be; with nothing to say, what the setting means."""
        if problem == self.problem:
            return
        self.problem = problem
        self.set_class(bool(problem), "-invalid")
        self.query_one(".-note", Static).update(f"✗ {problem}" if problem else self.field.description)

    def on_click(self, event: events.Click) -> None:
        """A click on the name means the box."""
        self.query_one(Input).focus()


def _typed(value: Any) -> str:
    """Return a value as a user would type it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return str(value)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([nt\\])", lambda found: ESCAPES[found[1]], text)
