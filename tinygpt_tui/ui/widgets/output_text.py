"""The output pane: text that grows, word-wrapped, selectable, with the model's window marked."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tinygpt_tui.ui.wrapping import Line, shown, shown_index, source_index, wrap

GUTTER = 2  # cells: the mark of the window and a space


class OutputText(ScrollView, can_focus=True):
    """Shows a prompt and what was written after it; only the last line is wrapped again when text comes.

    Follows the end until somebody scrolls up, and again from when the end is reached.
    """

    ALLOW_SELECT = True
    HELP: ClassVar[str | None] = (
        "The text: your prompt in bold, then what the model writes. The bar at the left runs along what the model "
        "still sees, its window; what has fallen out of the window is dim, and the first character inside is "
        "reversed.\n\n"
        "Scroll up and the text stops following; End follows again. Drag with the mouse to select."
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "output--prompt",
        "output--written",
        "output--outside",
        "output--edge",
        "output--bar",
        "output--hint",
    }
    DEFAULT_CSS = """
    OutputText {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        & .output--prompt { text-style: bold; }
        & .output--edge { text-style: reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Scroll up", id="output.up", show=False, tooltip="One line up"),
        Binding("down,j", "scroll_down", "Scroll down", id="output.down", show=False, tooltip="One line down"),
        Binding("home", "scroll_home", "To the start", id="output.home", show=False, tooltip="To the start"),
        Binding("end", "follow", "Follow the end", id="output.follow", show=False, tooltip="Follow the end"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""
        self._lines = [Line(0, 0)]
        self._prompt_end = self._window_start = 0
        self._hint = ""
        self._following = True
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(512)

    @property
    def text(self) -> str:
        """All the text there is, prompt included."""
        return self._text

    @property
    def hint(self) -> str:
        """What is shown while there is no text."""
        return self._hint

    @property
    def lines(self) -> list[Line]:
        """The text as it is wrapped now."""
        return self._lines

    @property
    def prompt_end(self) -> int:
        """Where the prompt ends and what was written begins."""
        return self._prompt_end

    @property
    def window_start(self) -> int:
        """Where the text that the model still sees begins."""
        return self._window_start

    @property
    def following(self) -> bool:
        """Whether new text keeps the end in sight."""
        return self._following

    def reset(self, text: str = "", prompt_end: int | None = None) -> None:
        """Show another text, of which all, or the first `prompt_end` characters, are the prompt."""
        self._text, self._prompt_end = text, len(text) if prompt_end is None else prompt_end
        self._window_start, self._following = 0, True
        self._wrap_from(0)
        self.refresh()

    def append(self, text: str) -> None:
        """Add text at the end."""
        if not text:
            return
        first = len(self._lines) - 1
        self._text += text
        self._wrap_from(first)
        self.refresh_lines(first, len(self._lines) - first)

    def set_window(self, start: int) -> None:
        """Mark the text from offset `start` as what the model still sees."""
        if start == self._window_start:
            return
        first, last = sorted((self._row_of(start), self._row_of(self._window_start)))
        self._window_start = start
        self.refresh_lines(first, last - first + 1)

    def set_hint(self, hint: str) -> None:
        """Show this while there is no text."""
        if hint != self._hint:
            self._hint = hint
            self.refresh()

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        self._following = True
        self._to_end()

    def action_scroll_home(self) -> None:
        """Go to the start, at once."""
        self.scroll_to(y=0, animate=False)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected part of the text itself, not of its lines on the screen."""
        start = 0 if selection.start is None else self._offset_at(selection.start.x, selection.start.y)
        end = len(self._text) if selection.end is None else self._offset_at(selection.end.x, selection.end.y)
        return self._text[start:end], "\n"

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """See whether somebody left the end, or came back to it."""
        super().watch_scroll_y(old_value, new_value)
        # Not rounded: the first small step of a wheel must already hold the text still.
        self._following = new_value >= self.max_scroll_y - 0.05

    def notify_style_update(self) -> None:
        """Draw anew in the new colours."""
        super().notify_style_update()
        self._strips.clear()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap for the new width; the end, or the first line in sight, stays where it was."""
        following = self._following
        top = self._lines[min(self.scroll_offset.y, len(self._lines) - 1)].start
        self._wrap_from(0)
        self._strips.clear()
        if not following:
            self._following = False
            self.scroll_to(y=self._row_of(top), animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the viewport."""
        width = self.scrollable_content_region.width
        if not self._text:
            return self._hint_line(y, width)
        y += self.scroll_offset.y
        if y >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[y]
        selection = self.text_selection
        span = selection.get_span(y) if selection is not None else None
        place = (self._clamp(line, self._prompt_end), self._clamp(line, self._window_start))
        key = (y, line, place, self._window_start > 0, span, width, self.rich_style)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._draw(y, line, span, width)
        return strip

    def _wrap_from(self, first: int) -> None:
        start = self._lines[first].start if first else 0
        self._lines[first:] = wrap(self._text, start, self.scrollable_content_region.width - GUTTER)
        following = self._following
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))
        self._following = following
        if following:
            self._to_end()

    def _row_of(self, offset: int) -> int:
        return bisect_right(self._lines, offset, key=lambda line: line.start) - 1

    def _to_end(self) -> None:
        # Forced: what has only now grown too high has no scrollbar yet.
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def _offset_at(self, x: int, y: int) -> int:
        if y >= len(self._lines):
            return len(self._text)
        line = self._lines[y]
        return line.start + source_index(self._text[line.start : line.end], x)

    @staticmethod
    def _clamp(line: Line, offset: int) -> int:
        return min(max(offset - line.start, -1), line.end - line.start + 1)

    def _draw(self, y: int, line: Line, span: tuple[int, int] | None, width: int) -> Strip:
        source = self._text[line.start : line.end]
        text, base = shown(source), self.rich_style
        window = self._window_start - line.start
        cuts = {0, len(text)}
        for offset in (self._prompt_end - line.start, window, window + 1):
            if 0 < offset < len(source):
                cuts.add(shown_index(source, offset))
        selected = range(0)
        if span is not None:
            selected = range(span[0], len(text) if span[1] < 0 else span[1])
            cuts.update(x for x in (selected.start, selected.stop) if 0 < x < len(text))
        places = sorted(cuts)
        segments = []
        for begin, end in pairwise(places):
            style = base + self._style_at(line.start + source_index(source, begin))
            if begin in selected:
                style += self.screen.get_component_rich_style("screen--selection")
            segments.append(Segment(text[begin:end], style))
        bar = Strip([*self._bar(line, y), *Strip(segments).apply_offsets(0, y)])
        return bar.crop_extend(0, width, base)

    def _style_at(self, offset: int) -> Style:
        kind = "output--prompt" if offset < self._prompt_end else "output--written"
        style = self.get_component_rich_style(kind)
        if offset < self._window_start:
            return style + self.get_component_rich_style("output--outside")
        if offset == self._window_start and offset:
            return style + self.get_component_rich_style("output--edge")
        return style

    def _bar(self, line: Line, y: int) -> list[Segment]:
        """Draw the gutter; each cell of it counts as the line's beginning when text is selected."""
        if line.end < self._window_start:
            mark = " "
        elif line.start < self._window_start:
            mark = "╭"
        else:
            mark = "│"
        style = self.rich_style + self.get_component_rich_style("output--bar")
        style += Style.from_meta({"offset": (0, y)})
        return [Segment(mark, style), Segment(" ", style)]

    def _hint_line(self, y: int, width: int) -> Strip:
        lines = wrap(self._hint, 0, width - 2 * GUTTER)
        base = self.rich_style
        if not 0 <= y - 1 < len(lines):
            return Strip.blank(width, base)
        line = lines[y - 1]
        style = base + self.get_component_rich_style("output--hint")
        text = " " * GUTTER + self._hint[line.start : line.end]
        return Strip([Segment(text, style)]).crop_extend(0, width, base)
