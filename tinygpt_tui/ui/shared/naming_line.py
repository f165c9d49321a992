"""A line to type a name into, in the place of a note, for as long as that takes."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class NamingLine(Horizontal):
    """Shows a note; `ask` turns it into an input, whose end is a message."""

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
    HELP: ClassVar[str | None] = "A name, on one line. Enter keeps it, an empty one takes it away, Esc changes nothing."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "As it was", id="naming.give_up", tooltip="Change nothing"),
    ]

    class Named(Message):
        """A name was typed; None where somebody thought better of it."""

        def __init__(self, name: str | None) -> None:
            super().__init__()
            self.name = name

    def __init__(self, placeholder: str = "Enter keeps it · empty: no name", help_text: str = "") -> None:
        """`placeholder` stands where no name is typed; `help_text` is for names that are not simply taken away."""
        super().__init__()
        self._placeholder = placeholder
        if help_text:
            self.HELP = help_text  # type: ignore[misc]  # of this line alone

    def compose(self) -> ComposeResult:
        """Yield both of its faces."""
        yield Static("name ", id="naming-title")
        yield Input(compact=True, select_on_focus=True, placeholder=self._placeholder)
        yield Static("", id="naming-note", markup=False)

    @property
    def asking(self) -> bool:
        """Whether a name is being typed."""
        return self.has_class("-asking")

    def say(self, note: str, warning: bool = False) -> None:
        """Show a note."""
        self.query_one("#naming-note", Static).update(note)
        self.set_class(warning, "-warning")

    def ask(self, name: str) -> None:
        """Let `name` be changed."""
        self.add_class("-asking")
        typed = self.query_one(Input)
        typed.value = name
        typed.focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Hand the name on."""
        message.stop()
        self._end(message.value)

    def action_give_up(self) -> None:
        """Change nothing."""
        self._end(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc means something else while nobody types."""
        return self.asking if action == "give_up" else True

    def _end(self, name: str | None) -> None:
        self.remove_class("-asking")
        self.post_message(self.Named(name))
