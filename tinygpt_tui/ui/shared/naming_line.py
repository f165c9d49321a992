"""A line for notes that becomes an input while a name is typed."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.message import Message


class NamingLine(Horizontal):
    """Shows a note; `ask` turns it into an input, which ends with a message."""

    DEFAULT_CSS = """
    NamingLine {
        height: auto; min-height: 1;
        & > Input { display: none; height: 1; width: 1fr; border: none; padding: 0 1; }
        & > #naming-title { display: none; width: auto; }
        & > #naming-note { width: 1fr; height: auto; max-height: 3; }
        &.-asking > Input, &.-asking > #naming-title { display: block; }
        &.-asking > #naming-note { display: none; }
    }
    """
    HELP = "A name, on one line. Enter saves it, an empty name removes it, Esc changes nothing."
    BINDINGS = [
        bind("escape", "cancel_naming", "Cancel", "naming.cancel", "Change nothing"),
    ]

    class Named(Message):
        """A name was typed; None if the user cancelled."""

        name: str | None

    def __init__(self, placeholder: str = "Enter saves it · empty: no name", help_text: str = "") -> None:
        """`placeholder` is shown while the input is empty; `help_text` replaces the usual help."""
        super().__init__()
        self._placeholder = placeholder
        if help_text:
            self.HELP = help_text  # type: ignore[misc]  # of this line alone

    def compose(self) -> ComposeResult:
        yield Static("name ", id="naming-title")
        yield Input(compact=True, select_on_focus=True, placeholder=self._placeholder)
        yield Static("", id="naming-note", markup=False)

    @property
    def asking(self) -> bool:
        return self.has_class("-asking")

    def set_note(self, note: str, warning: bool = False) -> None:
        self.query_one("#naming-note", Static).update(note)
        self.set_class(warning, "-warning")

    def ask(self, name: str) -> None:
        """Let the user edit `name`."""
        self.add_class("-asking")
        typed = self.query_one(Input)
        typed.value = name
        typed.focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._end(message.value)

    def action_cancel_naming(self) -> None:
        self._end(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc has another meaning while no name is typed."""
        return self.asking if action == "cancel_naming" else True

    def _end(self, name: str | None) -> None:
        self.remove_class("-asking")
        self.post_message(self.Named(name))
