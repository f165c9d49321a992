"""A widget that draws whole lines and caches them until something changes; heat maps have thousands of cells."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

PLAIN = Style.null()


class Line:
    """A line of the screen while it is put together; neighbours of one style become one."""

    def __init__(self, text: str = "", style: Style = PLAIN) -> None:
        self.cells = 0
        self._pieces: list[tuple[str, Style]] = []
        self.append(text, style)

    def append(self, text: str, style: Style = PLAIN) -> Line:
        """Add text at the end; return the line."""
        if text:
            self.cells += cell_len(text)
            if self._pieces and self._pieces[-1][1] is style:
                text = self._pieces.pop()[0] + text
            self._pieces.append((text, style))
        return self

    def extend(self, other: Line) -> Line:
        """Add another line at the end; return this one."""
        for text, style in other._pieces:
            self.append(text, style)
        return self

    def pad(self, cells: int) -> Line:
        """Fill with spaces up to that many cells; return the line."""
        return self.append(" " * (cells - self.cells))

    def cut(self, cells: int) -> Line:
        """Cut the line to that many cells, with a … at the end; return it."""
        if self.cells <= cells:
            return self
        pieces, self._pieces, self.cells = self._pieces, [], 0
        for text, style in pieces:
            if self.cells + cell_len(text) >= cells:
                return self.append(set_cell_size(text, max(0, cells - 1 - self.cells)), style).append("…", style)
            self.append(text, style)
        return self

    def strip(self, base: Style, width: int) -> Strip:
        """Return the line as drawn on a background, exactly that wide."""
        return Strip([Segment(text, base + style) for text, style in self._pieces]).crop_extend(0, width, base)


class Drawing(Widget):
    """Subclasses return the lines in `draw`, and call `redraw` when they change."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawn: list[Line] | None = None

    def draw(self, width: int, height: int) -> list[Line]:
        """Return the lines; those beyond the height are left out."""
        raise NotImplementedError

    def redraw(self) -> None:
        self._drawn = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, height = self.content_size
        if self._drawn is None:
            self._drawn = self.draw(width, height)
        base = self.rich_style
        return self._drawn[y].strip(base, width) if y < len(self._drawn) else Strip.blank(width, base)

    def notify_style_update(self) -> None:
        """Draw again: colours may have changed."""
        super().notify_style_update()
        self._drawn = None

    def on_resize(self, event: events.Resize) -> None:
        self.redraw()
