"""One setting in the form: its name, a box for its value, and what it means or why it is invalid."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Select, Static

from tinygpt_tui.settings.fields import SettingField
from tinygpt_tui.ui.train.draft import limits_of


class TrainSettingRow(Horizontal):
    """A row has a fixed height, whatever it says, so that nothing jumps while the user types."""

    DEFAULT_CSS = """
    TrainSettingRow {
        height: 1;
        & > .-title { width: 19; height: 1; }
        & > Input, & > Select { width: 16; }
        & > .-note { width: 1fr; height: 1; padding: 0 0 0 2; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    class Changed(Message):
        """The user changed the value."""

        def __init__(self, name: str, text: str) -> None:
            super().__init__()
            self.name, self.text = name, text

    class Focused(Message):
        """This setting has the focus."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, setting: SettingField, text: str) -> None:
        """`text` is the value as a user would type it."""
        super().__init__(id=f"setting-{setting.name}")
        self.setting = setting
        self.text = text
        self.problem = ""
        self.fixed_by = ""  # what decides this setting, as a sentence
        self.tooltip = f"{setting.description}\n{limits_of(setting)}"
        # Each setting has a help of its own, which is looked for on the widget.
        self.HELP = f"## {setting.title}\n\n{setting.description}\n\n{limits_of(setting)}"  # type: ignore[misc]

    def compose(self) -> ComposeResult:
        """Yield name, box and note."""
        yield Static(self.setting.title, classes="-title", markup=False)
        choices = ("yes", "no") if self.setting.kind is bool else self.setting.choices
        if choices:
            options = [(choice.replace("_", " "), choice) for choice in choices]
            yield Select(options, value=self.text, allow_blank=False, compact=True)
        else:
            yield Input(self.text, compact=True, select_on_focus=True)
        yield Static(self.setting.description, classes="-note", markup=False)

    def set_text(self, text: str) -> None:
        """Put in a value; no message is sent."""
        if text == self.text or not self.is_mounted:
            self.text = text
            return
        self.text = text
        box = self.query_one("Input, Select")
        with self.prevent(Input.Changed, Select.Changed):
            if isinstance(box, Input | Select):
                box.value = text

    def show_problem(self, problem: str) -> None:
        """Show why the value is invalid; with "" it is valid."""
        if problem == self.problem:
            return
        self.problem = problem
        self.set_class(bool(problem), "-invalid")
        self._update_note()

    def show_fixed(self, by: str) -> None:
        """Show why this setting cannot be changed; with "" it can be."""
        if by == self.fixed_by:
            return
        self.fixed_by = by
        self.query_one("Input, Select").disabled = bool(by)
        self._update_note()

    def _update_note(self) -> None:
        note = self.query_one(".-note", Static)
        said = self.fixed_by or self.setting.description
        note.update(f"✗ {self.problem}" if self.problem else said)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Pass on a typed value."""
        message.stop()
        self._change(message.value)

    def on_select_changed(self, message: Select.Changed) -> None:
        """Pass on a chosen value."""
        message.stop()
        self._change(str(message.value))

    def on_descendant_focus(self) -> None:
        """Post that this setting has the focus."""
        self.post_message(self.Focused(self.setting.name))

    def _change(self, text: str) -> None:
        # A box sends its first value, too, when it is mounted.
        if text != self.text:
            self.text = text
            self.post_message(self.Changed(self.setting.name, text))
