"""The log of a run: evaluations, saves, pauses, notes, and how it ended."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

SHOWN_LINES = 300
INDENT = " " * 8  # as wide as the steps


class TrainLog(VerticalScroll):
    """Shows the newest lines, at the end unless the user has scrolled up."""

    HELP = """## Log

One line for each event, after its step: evaluations, saved weights, pauses, notes from the trainer, and why the run
ended. All events are in the model's folder: `run/events.jsonl`.
"""

    def __init__(self) -> None:
        super().__init__(id="log")
        self._last: tuple[int, str] = (0, "")
        self._lines: Sequence[str] = ()
        self._follows = True

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)

    def on_resize(self) -> None:
        self._draw()

    def show_lines(self, lines: Sequence[str]) -> None:
        """Show the newest of `lines`, if there are new ones."""
        state = (len(lines), lines[-1] if lines else "")
        if state == self._last:
            return
        self._last = state
        self._follows = self.scroll_target_y >= self.max_scroll_y - 1
        self._lines = lines[-SHOWN_LINES:]
        self._draw()

    def _draw(self) -> None:
        """Write the lines, wrapped behind the column of steps."""
        width = max(len(INDENT) + 1, self.scrollable_content_region.width)
        wrapped = (textwrap.fill(line, width, subsequent_indent=INDENT, break_on_hyphens=False) for line in self._lines)
        self.query_one(Static).update("\n".join(wrapped))
        if self._follows:
            self.scroll_end(animate=False)
