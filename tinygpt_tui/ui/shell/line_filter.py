"""Takes out of every line that the app draws what would command the terminal, wherever the text came from.

A name, a note or a letter of a model may hold an escape sequence; Textual hands it on as it is. Control characters have
no width, so that a line without them is as wide as it was.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tinygpt_tui.words import COMMANDS


class NoCommands(LineFilter):
    """A line filter of Textual's: each line goes through it once, before it is kept."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the line without control characters."""
        if all(text.isprintable() for text, _, _ in segments):
            return segments
        return [Segment(COMMANDS.sub("", text), style, control) for text, style, control in segments]
