"""What a widget leaves to the tab's screen to show: that something failed, expected or not."""

from __future__ import annotations

from textual.widget import Widget
from textual.worker import Worker

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.shared.message import Message


class Failed(Message):
    """Something that the user asked for failed."""

    error: TinyGPTError


def pass_to_screen(self: Widget, event: Worker.StateChanged) -> None:
    """Pass on to the screen what it shows: why a worker failed. For `on_worker_state_changed`."""
    self.screen.post_message(event)
