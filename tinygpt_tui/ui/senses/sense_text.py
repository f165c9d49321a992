"""One of two texts compared from their start: with unchanged senses, or with turned ones."""

from __future__ import annotations

from tinygpt_tui.ui.shared.compared_text import RaceText


class SenseText(RaceText):
    """Keeps the prompt's end, or the first difference, visible while text arrives, unless the user scrolls."""

    FOLLOWS_END = False
    HELP = (
        "What the model writes: on the left unchanged, on the right with your changes, both with the same random "
        "seed. The reversed character is the first difference; the bar marks what is the same."
    )

    def __init__(self) -> None:
        super().__init__()
        self._anchor = self._scrolled_to = 0

    def reset(self, text: str = "", prompt_end: int | None = None) -> None:
        """Show another text, from the end of its prompt."""
        super().reset(text, prompt_end)
        self._anchor, self._scrolled_to = prompt_end or 0, round(self.scroll_y)
        self._show_anchor()

    def append(self, text: str) -> None:
        super().append(text)
        self._show_anchor()

    def keep_showing(self, offset: int) -> None:
        """Show the line of the character at `offset`, below the one before it."""
        if offset != self._anchor:
            self._anchor = offset
            self._show_anchor()

    def _show_anchor(self) -> None:
        if round(self.scroll_y) == self._scrolled_to:
            row = max(0, self.wrapped.row_of(self._anchor) - 1)
            self.scroll_to(y=row, animate=False, force=True, immediate=True)
            self._scrolled_to = round(self.scroll_y)
