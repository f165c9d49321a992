"""A question with two answers, before an action that is hard to undo."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Static

from tinygpt_tui.ui.shared.dialog import Dialog


class ConfirmScreen(Dialog[bool]):
    """Dismisses with True if the user agrees. Enter agrees, or cancels where agreeing loses something."""

    DEFAULT_CSS = """
    ConfirmScreen {
        & > DialogBox { padding: 1 2; }
        & .-buttons { margin: 1 0 0 0; }
    }
    """

    def __init__(self, title: str, question: str, yes: str, *, loses: bool = False) -> None:
        """`yes` is the action as a verb: "Stop". With `loses` it cannot be undone, so Enter cancels."""
        super().__init__(title)
        self._question, self._yes, self._loses = question, yes, loses

    def compose_body(self) -> ComposeResult:
        yield Static(self._question, markup=False)
        with Horizontal(classes="-buttons"):
            if self._loses:
                yield Button(self._yes, id="yes", compact=True)
                yield Button("Cancel enter esc", id="no", compact=True, variant="primary")
            else:
                yield Button(f"{self._yes} enter", id="yes", compact=True, variant="primary")
                yield Button("Cancel esc", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no" if self._loses else "#yes").focus()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.dismiss(message.button.id == "yes")
