"""The attention for the character under the microscope's cursor, beside the text where that is wide."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.markup import escape
from textual.message import Message

from tinygpt_tui.events.generation import GenerationEnded
from tinygpt_tui.events.requests import Trace
from tinygpt_tui.ui.inspect.attention_map import AttentionMap
from tinygpt_tui.ui.inspect.passes import Pass
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shell.selection import TextPlace

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Engine

REST_S = 0.2  # the cursor rests on a character before the model reads the text up to it
HELP = (
    "## Attention\n\n"
    "What the model attended to when it predicted the character under the microscope's cursor: the last row. Each map "
    "is a head: a row is a token, its columns the tokens that it attends to. The stronger the colour, the larger the "
    "weight.\n\n"
    "Left and Right go through the heads, Up and Down through the layers. Esc goes back to the text: the map follows "
    "the cursor there, and goes with the microscope. The other views of this pass are in Inspect."
)


class AttentionBeside(Vertical):
    """Shows the attention of the last token before a place."""

    BINDINGS = [
        bind("escape", "leave", "Back", "attention.leave", "Back to the text"),
    ]

    class Done(Message):
        """The user goes back to the text."""

    def __init__(self, engine: Engine, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "attention"
        self.map = AttentionMap()
        self.map.HELP = HELP  # type: ignore[misc]
        self._engine = engine
        self._place: TextPlace | None = None

    def compose(self) -> ComposeResult:
        yield self.map

    def show_place(self, place: TextPlace) -> None:
        """Show what the model attended to when it predicted the character at a place."""
        if place != self._place:
            self._place = place
            self._read(place)

    @work(exclusive=True, group="attention", exit_on_error=False)
    async def _read(self, place: TextPlace) -> None:
        self.border_subtitle = "reading…  (some seconds the first time)"
        await asyncio.sleep(REST_S)
        walked, problem = Pass(), ""
        job = self._engine.start(Trace(place.model, place.before, place.untrained))
        async for events in job:
            walked.add_events(events)
            problem = next((one.message for one in events if isinstance(one, GenerationEnded)), problem)
        self.border_subtitle = escape(problem)
        if not problem:
            self.map.show_pass(walked, len(walked.labels) - 1)

    @on(AttentionMap.Moved)
    def _moved(self, message: AttentionMap.Moved) -> None:
        message.stop()

    def action_leave(self) -> None:
        self.post_message(self.Done())
