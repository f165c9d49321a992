"""One setting of a form: its name, a box for its value, and what it means or why it is invalid."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from tinygpt_tui.settings.fields import SettingField, written
from tinygpt_tui.ui.shared.choice_box import ChoiceBox
from tinygpt_tui.ui.shared.message import Message

WRONG, RIGHT = "✗ ", "  "


class SettingRow(Horizontal):
    """A row is one line high, whatever it says, so that nothing jumps while the user types."""

    DEFAULT_CSS = """
    SettingRow {
        height: 1;
        margin: 0 1 0 0;
        & > Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & > .-title { width: 22; }
        & > Input, & > ChoiceBox { width: 1fr; }
        &.-explained {
            margin: 0;
            & > .-title { width: 19; }
            & > Input { width: 16; margin: 0 2 0 0; }
            & > ChoiceBox { width: 17; margin: 0 1 0 0; }
            & > .-note { width: 1fr; }
        }
    }
    """

    class Changed(Message):
        """The user changed the value."""

        name: str
        text: str

    def __init__(
        self, setting: SettingField, text: str, *, box_id: str, placeholder: str = "", explained: bool = False
    ) -> None:
        """`text` is the value as a user would type it; `explained`: with a note beside it and its own help."""
        super().__init__(classes="-explained" if explained else "")
        self.setting = setting
        self.text = text
        self.problem = ""
        self.fixed_by = ""  # what decides this setting, as a sentence
        self._box_id, self._placeholder, self._explained = box_id, placeholder, explained
        self.tooltip = f"{setting.description}\n{limits_of(setting)}"
        if explained:
            self.HELP = f"## {setting.title}\n\n{setting.description}\n\n{limits_of(setting)}"  # type: ignore[misc]

    def compose(self) -> ComposeResult:
        yield Static(self._title, classes="-title", markup=False)
        choices = ("yes", "no") if self.setting.kind is bool else self.setting.choices
        if choices:
            yield ChoiceBox(choices, self.text, id=self._box_id)
        else:
            yield Input(self.text, placeholder=self._placeholder, compact=True, id=self._box_id)
        if self._explained:
            yield Static(self._note, classes="-note", markup=False)

    @property
    def box(self) -> Input | ChoiceBox:
        """Where the value is typed or chosen."""
        box = self.query_one("Input, ChoiceBox")
        assert isinstance(box, Input | ChoiceBox)
        return box

    def focus_box(self) -> None:
        """Focus the box at once; `focus` would do it later, after waiting keys."""
        self.screen.set_focus(self.box)

    def set_text(self, text: str) -> None:
        """Set the value without a message."""
        if text == self.text:
            return
        self.text = text
        if self.is_mounted:
            with self.prevent(Input.Changed, ChoiceBox.Changed):
                self.box.value = text

    def show_problem(self, problem: str) -> None:
        """Show why the value is invalid; with "" it is valid."""
        if problem != self.problem:
            self.problem = problem
            self.set_class(bool(problem), "-invalid")
            self._update_words()

    def show_fixed(self, by: str) -> None:
        """Show why this setting cannot be changed; with "" it can be."""
        if by != self.fixed_by:
            self.fixed_by = by
            self.box.disabled = bool(by)
            self._update_words()

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._change(message.value)

    def on_choice_box_changed(self, message: ChoiceBox.Changed) -> None:
        message.stop()
        self._change(message.value)

    def on_click(self, event: events.Click) -> None:
        self.focus_box()

    @property
    def _title(self) -> str:
        """The name; without a note it also says whether the value is invalid."""
        mark = "" if self._explained else WRONG if self.problem else RIGHT
        return mark + self.setting.title

    @property
    def _note(self) -> str:
        return f"{WRONG}{self.problem}" if self.problem else self.fixed_by or self.setting.description

    def _update_words(self) -> None:
        if self.is_mounted:
            part, words = (".-note", self._note) if self._explained else (".-title", self._title)
            self.query_one(part, Static).update(words)

    def _change(self, text: str) -> None:
        # An Input sends its first value, too, when it is mounted.
        if text != self.text:
            self.text = text
            self.post_message(self.Changed(self.setting.name, text))


def limits_of(setting: SettingField) -> str:
    """Return the limits of a setting and its default, in words."""
    parts = []
    if setting.choices:
        parts.append(f"one of {', '.join(setting.choices)}")
    elif setting.minimum is not None and setting.maximum is not None:
        parts.append(f"from {_limit(setting.minimum)} to {_limit(setting.maximum)}")
    elif setting.minimum is not None:
        parts.append(f"{_limit(setting.minimum)} or more")
    if setting.default not in (None, "", ()):
        parts.append(f"default {written(setting.default)}")
    return "; ".join(parts)


def _limit(value: float) -> str:
    if value >= 1 << 62:
        return "very large"
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
