"""The bottom of a run's page: buttons for what can be done now, and where the run is kept."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from tinygpt_tui.ui.shared.message import Message

# Each action that has a button here: its label and its key.
BUTTONS = {
    "pause": ("Pause", "space"),
    "end_pause": ("Continue", "space"),
    "resume": ("Resume", "space"),
    "extend": ("More steps", "x"),
    "stop": ("Stop and save", "s"),
    "talk": ("Generate with it", "g"),
    "new": ("New run", "n"),
}


class TrainFoot(Vertical):
    """Shows the buttons of the possible actions, and posts the pressed one."""

    DEFAULT_CSS = """
    TrainFoot {
        height: 2;
        & Horizontal { height: 1; }
        & Button { margin: 0 1 0 0; min-width: 0; padding: 0 1; }
        & Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    class Pressed(Message):
        """The button of an action was pressed."""

        action: str

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)
        with Horizontal():
            for action, (label, key) in BUTTONS.items():
                yield Button(f"[b]{key}[/] {label}", id=f"do-{action}", compact=True)

    def show_actions(self, actions: set[str], line: str) -> None:
        """Show the buttons of `actions`, and a line of text."""
        for action in BUTTONS:
            self.query_one(f"#do-{action}", Button).display = action in actions
        self.query_one(Static).update(line)

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.post_message(self.Pressed(str(message.button.id).removeprefix("do-")))
