"""A question with two answers, before something that cannot be taken back at once."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class ConfirmScreen(ModalScreen[bool]):
    """Dismisses with True where the user agrees; enter is yes (no, where yes loses something), escape is no."""

    DEFAULT_CSS = """
    ConfirmScreen {
        align: center middle;
        & > Vertical {
            width: 64; max-width: 100%; height: auto; max-height: 100%; padding: 1 2;
            background: $panel; border: round $border;
            border-title-color: $foreground; border-subtitle-color: $quiet;
        }
        & Static { height: auto; }
        & Horizontal { height: 1; margin: 1 0 0 0; align-horizontal: right; }
        & Button { margin: 0 0 0 2; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer(False)", "No", id="confirm.no", tooltip="Leave everything as it is"),
    ]

    def __init__(self, title: str, question: str, yes: str, *, loses: bool = False) -> None:
        """`yes` is what agreeing does, as a verb: "Stop". `loses`: it cannot be undone, and Enter does not do it."""
        super().__init__()
        self._title, self._question, self._yes, self._loses = title, question, yes, loses

    def compose(self) -> ComposeResult:
        """Yield the question and its answers."""
        with Vertical() as box:
            box.border_title = self._title
            yield Static(self._question, markup=False)
            with Horizontal():
                if self._loses:
                    yield Button(self._yes, id="yes", compact=True)
                    yield Button("Cancel enter esc", id="no", compact=True, variant="primary")
                else:
                    yield Button(f"{self._yes} enter", id="yes", compact=True, variant="primary")
                    yield Button("Cancel esc", id="no", compact=True)

    def on_mount(self) -> None:
        """Begin at the answer that Enter gives."""
        self.query_one("#no" if self._loses else "#yes").focus()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Answer with the button."""
        message.stop()
        self.dismiss(message.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer with a key."""
        self.dismiss(answer)
