"""A widget's message that something failed; the tab's screen shows it."""

from __future__ import annotations

from textual.message import Message

from tinygpt_tui.errors import TinyGPTError


class Failed(Message):
    """Something that the user asked for failed."""

    def __init__(self, error: TinyGPTError) -> None:
        super().__init__()
        self.error = error
