"""What a widget leaves to the tab's screen to show: that something failed, expected or not."""

from __future__ import annotations

from textual.message import Message
from textual.widget import Widget
from textual.worker import Worker

from tinygpt_tui.errors import TinyGPTError


class Failed(Message):
    """Something that the user asked for failed."""

    def __init__(self, error: TinyGPTError) -> None:
        super().__init__()
        self.error = error


def pass_to_screen(self: Widget, event: Worker.StateChanged) -> None:
    """Pass on to the screen what it logs and shows: an unexpected error. For `on_worker_state_changed`."""
    self.screen.post_message(event)
