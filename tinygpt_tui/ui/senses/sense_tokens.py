"""A text as its tokens in one line: one is selected, and those with a turned dial are marked."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.widgets import Static

from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.microscope import name_of


class SenseTokens(Static):
    """Shows the text around the selected token; a click selects another."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "SenseTokens { height: 1; padding: 0 1; text-wrap: nowrap; }"

    class Pointed(Message):
        """The user clicks the token at this place of the text."""

        place: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._cells: list[int] = []  # the token in each cell

    def show_tokens(self, texts: Sequence[str], at: int, turned: Sequence[bool]) -> None:
        """Show tokens by their texts; `turned` marks those with a turned dial."""
        names = [name_of(text) for text in texts]
        widths = [cell_len(name) for name in names]
        room = max(1, self.content_size.width)
        first = last = at  # grows to both sides, as far as there is room
        used = widths[at] if names else 0
        while names:
            grown = [
                place for place in (first - 1, last + 1) if 0 <= place < len(names) and used + widths[place] <= room
            ]
            if not grown:
                break
            used += sum(widths[place] for place in grown[:1])
            first, last = min(first, grown[0]), max(last, grown[0])
        line, self._cells = Content(""), []
        for place in range(first, last + 1) if names else ():
            style = "reverse bold" if place == at else "underline" if turned[place] else ""
            line += Content.styled(names[place], style)
            self._cells += [place] * widths[place]
        self.update(line)

    def on_click(self, event: events.Click) -> None:
        cell = event.x - self.styles.padding.left
        if 0 <= cell < len(self._cells):
            self.post_message(self.Pointed(self._cells[cell]))
