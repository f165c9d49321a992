"""The output pane: growing text, word-wrapped and selectable, with the model's window marked and a cursor."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tinygpt_tui.ui.shared.contrast import ink_on
from tinygpt_tui.ui.shared.walking import above_or_below, column_of, last_of, row_of
from tinygpt_tui.ui.shared.wrapping import Line, shown, shown_index, source_index, wrap

GUTTER = 2  # cells: the mark of the window and a space
LEVELS = 6  # steps of surprise
FORK = "▸"
NEWLINE, SPACE = "↵", "␣"  # the cursor on a newline, and on spaces that hang over the edge
HELP_TEXT = (
    "The text: your prompt in bold, then what the model writes. The bar at the left marks the window: the text that "
    "the model still sees. Text outside the window is dim, and its first character inside is reversed. `window 128 of "
    "128` below the text means that the window is full: each new token pushes the oldest one out. In the microscope "
    "the bar marks what the model saw when it wrote the character under the cursor. ▸ marks the line of a fork.\n\n"
    "Scroll up to stop following the text, press End to follow again. Drag with the mouse to select."
)


class OutputText(ScrollView, can_focus=True):
    """Shows a prompt and the text after it; only the last line is wrapped again when text arrives.

    Follows the end until the user scrolls up, and again once the end is reached. While there is a cursor, it follows
    only the cursor.
    """

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "output--prompt",
        "output--written",
        "output--outside",
        "output--edge",
        "output--unknown",
        "output--bar",
        "output--hint",
        "output--cursor",
        *(f"output--surprise-{level}" for level in range(1, LEVELS + 1)),
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
        & .output--unknown { color: $text-muted; text-style: strike; }
        & .output--cursor { color: $accent; background: $background; text-style: reverse; }
        & .output--surprise-2 { background: $warning 14%; color: $foreground; }
        & .output--surprise-3 { background: $warning 30%; color: $foreground; }
        & .output--surprise-4 { background: $error 34%; color: $foreground; }
        & .output--surprise-5 { background: $error 56%; color: $foreground; }
        & .output--surprise-6 { background: $error; color: $background; text-style: bold; }
        &.-walking .output--edge { text-style: underline; }
        &:nocolor .output--surprise-4 { text-style: underline; }
        &:nocolor .output--surprise-5 { text-style: bold underline; }
        &:nocolor .output--surprise-6 {
            background: $error 56%; color: $foreground; text-style: bold italic underline;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "walk_by(-1)", "Left", id="output.walk_left", show=False, tooltip="One character back"),
        Binding("right", "walk_by(1)", "Right", id="output.walk_right", show=False, tooltip="One character on"),
        Binding("up,k", "walk_rows(-1)", "Up", id="output.walk_up", show=False, tooltip="One line up"),
        Binding("down,j", "walk_rows(1)", "Down", id="output.walk_down", show=False, tooltip="One line down"),
        Binding("home", "walk_edge(-1)", "Line start", id="output.walk_home", show=False, tooltip="The line's start"),
        Binding("end", "walk_edge(1)", "Line end", id="output.walk_end", show=False, tooltip="The line's end"),
        Binding("pageup", "walk_pages(-1)", "Page up", id="output.walk_page_up", show=False, tooltip="A page up"),
        Binding("pagedown", "walk_pages(1)", "Page on", id="output.walk_page_down", show=False, tooltip="A page down"),
        Binding("ctrl+home", "walk_all(-1)", "Start", id="output.walk_start", show=False, tooltip="First character"),
        Binding("ctrl+end", "walk_all(1)", "End", id="output.walk_last", show=False, tooltip="Last character"),
        Binding("up,k", "scroll_up", "Scroll up", id="output.up", show=False, tooltip="One line up"),
        Binding("down,j", "scroll_down", "Scroll down", id="output.down", show=False, tooltip="One line down"),
        Binding("home", "scroll_home", "To the start", id="output.home", show=False, tooltip="To the start"),
        Binding("end", "follow", "Follow the end", id="output.follow", show=False, tooltip="Follow the end"),
    ]

    class Walked(Message):
        """The cursor came to the character at `offset`."""

        def __init__(self, output: OutputText, offset: int) -> None:
            super().__init__()
            self.output, self.offset = output, offset

        @property
        def control(self) -> OutputText:
            """The pane it came from."""
            return self.output

    class Scrolled(Message):
        """Other lines are visible."""

        def __init__(self, output: OutputText) -> None:
            super().__init__()
            self.output = output

        @property
        def control(self) -> OutputText:
            """The pane it came from."""
            return self.output

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""
        self._lines = [Line(0, 0)]
        self._wrapped_width = -1
        self._prompt_end = self._window_start = self._window_at_end = 0
        self._window_at_cursor: int | None = None
        self._fork: int | None = None
        self._hold_fork = False
        self._hint = ""
        self._unknown: frozenset[str] = frozenset()
        self._following = True
        self._cursor: int | None = None
        self._column = 0  # of cells, where the cursor would be if the line were long enough
        self._levels = bytearray()
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(128)  # a page and what was above it
        self._styles: dict[tuple[str, int], Style] = {}
        self._ground: Style | None = None

    @property
    def HELP(self) -> str | None:  # type: ignore[override]
        """What F1 shows; none while there is a cursor: then the widget around it has the help."""
        return HELP_TEXT if self._cursor is None else None

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
        """Where the text that the model sees begins: at the end, or for the character under the cursor."""
        return self._window_start

    @property
    def following(self) -> bool:
        """Whether new text keeps the end visible."""
        return self._following

    @property
    def cursor(self) -> int | None:
        """The offset of the character under the cursor; None without a cursor."""
        return self._cursor

    @property
    def in_sight(self) -> tuple[int, int]:
        """The first and the last visible offset."""
        top = min(self.scroll_offset.y, len(self._lines) - 1)
        bottom = min(top + max(1, self.scrollable_content_region.height), len(self._lines))
        return self._lines[top].start, min(self._lines[bottom - 1].end + 1, len(self._text))

    def reset(self, text: str = "", prompt_end: int | None = None) -> None:
        """Show another text, of which all, or the first `prompt_end` characters, are the prompt; without a cursor."""
        self._text, self._prompt_end = text, len(text) if prompt_end is None else prompt_end
        self._window_start = self._window_at_end = 0
        self._window_at_cursor = self._fork = None
        self._following, self._hold_fork = True, False
        self._unknown = frozenset()
        self.stop_walking()
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
        self._window_at_end = start
        self._mark_window()

    def set_cursor_window(self, start: int | None) -> None:
        """While there is a cursor, mark the text from `start` as what the model saw; None: as at the end."""
        self._window_at_cursor = start
        self._mark_window()

    def _mark_window(self) -> None:
        start = self._window_at_end if self._window_at_cursor is None else self._window_at_cursor
        if start == self._window_start:
            return
        first, last = sorted((self._row_of(start), self._row_of(self._window_start)))
        self._window_start = start
        self.refresh_lines(first, last - first + 1)

    def mark_fork(self, offset: int) -> None:
        """Mark the line where the text became another one at `offset`, and keep it visible while text arrives."""
        self._fork, self._hold_fork = offset, True
        self.refresh_lines(self._row_of(offset))

    def set_hint(self, hint: str) -> None:
        """Show this while there is no text."""
        if hint != self._hint:
            self._hint = hint
            self.refresh()

    def walk(self, offset: int) -> None:
        """Put the cursor on the character at `offset`, or the nearest one, and keep it visible."""
        self._walk(offset)
        if self._cursor is not None:
            self._column = column_of(self._text, self._lines[self._row_of(self._cursor)], self._cursor)

    def keep_in_sight(self) -> None:
        """Scroll to the cursor if it is not visible."""
        if self._cursor is None:
            return
        row, height = self._row_of(self._cursor), self.scrollable_content_region.height
        top = min(max(self.scroll_offset.y, row - height + 1), row)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    def stop_walking(self) -> None:
        """Remove the cursor; the visible lines stay."""
        if self._cursor is None:
            return
        row, self._cursor = self._row_of(self._cursor), None
        self._following = self.scroll_y >= self.max_scroll_y - 0.05
        self.remove_class("-walking")
        self.refresh_lines(row)

    def set_surprise(self, levels: bytearray | None) -> None:
        """Colour the text: each character by its level, 1 (expected) to 6 (not at all), 0 where it is not known.

        The array is read whenever a line is drawn, and may be shorter than the text; say `surprise_changed` when its
        content changes. None: no colours.
        """
        self._levels = bytearray() if levels is None else levels
        self.refresh()

    def set_unknown(self, characters: str) -> None:
        """Strike out these characters of the prompt: the model does not know them and did not read them."""
        if frozenset(characters) != self._unknown:
            self._unknown = frozenset(characters)
            self.refresh()

    def surprise_style(self, level: int) -> Style:
        """Return how written text of a level looks."""
        return self.rich_style + self.get_component_rich_style("output--written") + self._surprise(level)

    def surprise_changed(self, start: int, end: int) -> None:
        """Draw characters `start` to `end` in their new colours."""
        first = self._row_of(start)
        self.refresh_lines(first, self._row_of(max(start, end - 1)) - first + 1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the arrow keys move the cursor if there is one, else scroll."""
        return self._cursor is not None if action.startswith("walk_") else True

    def action_walk_by(self, characters: int) -> None:
        """Move the cursor by this many characters."""
        assert self._cursor is not None
        self.walk(self._cursor + characters)

    def action_walk_rows(self, rows: int) -> None:
        """Move the cursor this many lines down, in the last chosen column."""
        assert self._cursor is not None
        self._walk(above_or_below(self._text, self._lines, self._cursor, self._column, rows))

    def action_walk_pages(self, pages: int) -> None:
        """Move the cursor this many pages down."""
        self.action_walk_rows(pages * max(1, self.scrollable_content_region.height - 1))

    def action_walk_edge(self, direction: int) -> None:
        """Move the cursor to the start or the end of the line."""
        assert self._cursor is not None
        line = self._lines[self._row_of(self._cursor)]
        self.walk(line.start if direction < 0 else last_of(self._text, line))

    def action_walk_all(self, direction: int) -> None:
        """Move the cursor to the first or the last character."""
        self.walk(0 if direction < 0 else len(self._text))

    def action_follow(self) -> None:
        """Go to the end and follow it."""
        self._following, self._hold_fork = True, False
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
        """Notice when the user leaves the end, or returns to it."""
        super().watch_scroll_y(old_value, new_value)
        # Not rounded: the first small step of a wheel must already hold the text still.
        self._following = new_value >= self.max_scroll_y - 0.05
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled(self))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked character, if there is a cursor."""
        widget, place = self.screen.get_widget_and_offset_at(event.screen_x, event.screen_y)
        if self._cursor is None or widget is not self or place is None or self.text_selection is not None:
            return
        line = self._lines[min(place.y, len(self._lines) - 1)]
        self.walk(min(self._offset_at(place.x, place.y), last_of(self._text, line)))

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """Give a new scrollbar the position: the text may have been scrolled before there was a bar."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def notify_style_update(self) -> None:
        """Draw again in the new colours."""
        super().notify_style_update()
        self._strips.clear()
        self._styles.clear()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap for the new width; the end, or the first visible line, stays where it was."""
        following = self._following
        top = self._lines[min(self.scroll_offset.y, len(self._lines) - 1)].start
        # Another height alone (the prompt grew a line) must not cost what a long text costs to wrap.
        same = self.scrollable_content_region.width == self._wrapped_width
        self._wrap_from(len(self._lines) - 1 if same else 0)
        self._strips.clear()
        if not following:
            self._following = False
            self.scroll_to(y=self._row_of(top), animate=False)
        self.keep_in_sight()
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw some lines; the style that they share is computed once, not for each."""
        self._ground = self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._ground = None

    def render_line(self, y: int) -> Strip:
        """Draw one line of the viewport."""
        width = self.scrollable_content_region.width
        if not self._text:
            return self._hint_line(y, width)
        y += self.scroll_offset.y
        if y >= len(self._lines):
            return Strip.blank(width, self._base)
        line = self._lines[y]
        selection = self.text_selection
        span = selection.get_span(y) if selection is not None else None
        ends = self._prompt_end, self._window_start, -1 if self._cursor is None else self._cursor
        places = tuple(self._clamp(line, offset) for offset in ends)
        levels = bytes(self._levels[line.start : line.end + 1])  # its newline is surprising, too
        key = (
            y,
            line,
            places,
            self._window_start > 0,
            self._cursor is None,
            levels,
            span,
            width,
            self._base,
            self._unknown,
            self._fork,
        )
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._draw(y, line, span, width)
        return strip

    def _wrap_from(self, first: int) -> None:
        start = self._lines[first].start if first else 0
        if not first:
            self._wrapped_width = self.scrollable_content_region.width
        self._lines[first:] = wrap(self._text, start, self.scrollable_content_region.width - GUTTER)
        following = self._following
        self._set_height(len(self._lines))
        self._following = following
        if following and self._cursor is None:
            self._to_end()

    @property
    def _base(self) -> Style:
        return self._ground or self.rich_style

    def _row_of(self, offset: int) -> int:
        return row_of(self._lines, offset)

    def _walk(self, offset: int) -> None:
        if not self._text:
            return
        before, self._cursor = self._cursor, min(max(offset, 0), len(self._text) - 1)
        if before is None:
            self.add_class("-walking")
        else:
            first, last = sorted((self._row_of(before), self._row_of(self._cursor)))
            self.refresh_lines(first, last - first + 1)
        self.refresh_lines(self._row_of(self._cursor))
        self.keep_in_sight()
        if before != self._cursor:
            self.post_message(self.Walked(self, self._cursor))

    def _set_height(self, lines: int) -> None:
        """Set how many lines there are to scroll; the screen is laid out again only if a scrollbar comes or goes."""
        size = Size(self.scrollable_content_region.width, lines)
        higher = lines > self.container_size.height
        if not self.is_mounted or higher != self.show_vertical_scrollbar or size.width != self.virtual_size.width:
            self.virtual_size = size
        elif size != self.virtual_size:
            # Textual lays the whole screen out for every new size: half of what streaming text would cost.
            self.set_reactive(OutputText.virtual_size, size)
            self._scroll_update(size)

    def _to_end(self) -> None:
        end = self.max_scroll_y
        if self._hold_fork and self._fork is not None and self._row_of(self._fork) < end:
            end = max(0, self._row_of(self._fork) - 1)
            self._hold_fork = False  # from here on the text is left: nothing follows the end any more
        # Forced: what has only now grown too high has no scrollbar yet.
        self.scroll_to(y=end, animate=False, force=True)

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
        text, base = shown(source), self._base
        window = self._window_start - line.start
        levels = self._levels[line.start : line.end + 1].ljust(len(source) + 1, b"\0")
        offsets = {self._prompt_end - line.start, window, window + 1}
        offsets.update(at for at in range(1, len(source)) if levels[at] != levels[at - 1])
        unknown = self._unknown_in(line)
        offsets.update(unknown, (at + 1 for at in unknown))
        cuts = {0, len(text), *(shown_index(source, offset) for offset in offsets if 0 < offset < len(source))}
        selected = range(0)
        if span is not None:
            selected = range(span[0], len(text) if span[1] < 0 else span[1])
            cuts.update(x for x in (selected.start, selected.stop) if 0 < x < len(text))
        cursor = self._cursor_in(line, source)
        cuts.update((cursor.start, cursor.stop) if cursor.stop <= len(text) else ())
        segments = []
        for begin, end in pairwise(sorted(cuts)):
            at = source_index(source, begin)
            style = base + self._style_at(line.start + at, levels[at])
            if at in unknown:
                style += self.get_component_rich_style("output--unknown")
            if begin in selected:
                style += self.screen.get_component_rich_style("screen--selection")
            if begin in cursor:
                style += self.get_component_rich_style("output--cursor")
            segments.append(Segment(text[begin:end], style))
        if cursor.stop > len(text):
            segments.append(Segment(NEWLINE, base + self.get_component_rich_style("output--cursor")))
        elif levels[-1] and self._text[line.end : line.end + 1] == "\n":
            segments.append(Segment(" ", base + self._style_at(line.end, levels[-1])))
        strip = Strip([*self._bar(line, y), *Strip(segments).apply_offsets(0, y)])
        if cursor and cell_len(text[: cursor.start]) >= width - GUTTER:  # it would not be seen
            mark = NEWLINE if cursor.stop > len(text) else SPACE
            style = base + self.get_component_rich_style("output--cursor")
            strip = Strip([*strip.crop(0, width - 1), Segment(mark, style)])
        return strip.crop_extend(0, width, base)

    def _unknown_in(self, line: Line) -> set[int]:
        """Return the places of a line, counted from its start, whose characters the model left out of the prompt."""
        if not self._unknown or line.start >= self._prompt_end:
            return set()
        part = self._text[line.start : min(line.end, self._prompt_end)]
        return {at for at, character in enumerate(part) if character in self._unknown}

    def _cursor_in(self, line: Line, source: str) -> range:
        """Return which characters of the shown line the cursor covers; a newline is one more than the line has."""
        if self._cursor is None or not line.start <= self._cursor <= last_of(self._text, line):
            return range(0)
        begin = end = self._cursor - line.start
        # A combining mark has no cell of its own.
        while begin and begin < len(source) and not cell_len(shown(source[begin])):
            begin -= 1
        return range(shown_index(source, begin), shown_index(source, end + 1) + (end >= len(source)))

    def _style_at(self, offset: int, level: int) -> Style:
        kind = "prompt" if offset < self._prompt_end else "written"
        if offset < self._window_start:
            kind += " outside"
        elif offset == self._window_start and offset:
            kind += " edge"
        style = self._styles.get((kind, level))
        if style is None:
            parts = [self.get_component_rich_style(f"output--{part}") for part in kind.split()]
            if level and kind.endswith("edge"):  # in reverse a strong colour would look weak
                parts[-1] = Style(underline=True)
            style = self._styles[kind, level] = Style.combine([*parts, self._surprise(level)])
        return style

    def _surprise(self, level: int) -> Style:
        """Return the ink and the ground of a level; only what its rules name."""
        if not level:
            return Style.null()
        name = f"output--surprise-{level}"
        style = self.get_component_rich_style(name, partial=True)
        colours = self.get_component_styles(name)
        if colours.background.a:  # a partial style leaves out how much of the ground below shines through
            ground = self.background_colors[1] + colours.background
            style += Style(color=ink_on(ground, colours.color).rich_color, bgcolor=ground.rich_color)
        return style

    def _bar(self, line: Line, y: int) -> list[Segment]:
        """Draw the gutter; each cell of it counts as the line's beginning when text is selected."""
        if line.end < self._window_start or (self._cursor is not None and line.start > self._cursor):
            mark = " "
        elif line.start < self._window_start:
            mark = "╭"
        else:
            mark = "│"
        style = self._base + self.get_component_rich_style("output--bar")
        style += Style.from_meta({"offset": (0, y)})
        forked = self._fork is not None and self._fork < len(self._text) and self._row_of(self._fork) == y
        return [Segment(mark, style), Segment(FORK if forked else " ", style)]

    def _hint_line(self, y: int, width: int) -> Strip:
        lines = wrap(self._hint, 0, width - 2 * GUTTER)
        base = self._base
        if not 0 <= y - 1 < len(lines):
            return Strip.blank(width, base)
        line = lines[y - 1]
        style = base + self.get_component_rich_style("output--hint")
        text = " " * GUTTER + self._hint[line.start : line.end]
        return Strip([Segment(text, style)]).crop_extend(0, width, base)
