"""A growing text, word-wrapped and selectable, that follows its end until the user scrolls up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.text_painter import GUTTER, TextMarks, TextPainter
from tinygpt_tui.ui.shared.wrapped_text import WrappedText
from tinygpt_tui.ui.shared.wrapping import Line, with_roles, wrap

NEAR = 0.05  # rows: this near to the end is at the end


class TextView(ScrollView, can_focus=True):
    """Shows a prompt and the text after it; only the last line is wrapped again when text arrives."""

    ALLOW_SELECT = True
    FOLLOWS_END: ClassVar[bool] = True  # False: only when the user asks for the end
    COMPONENT_CLASSES = {
        "output--prompt",
        "output--written",
        "output--person",
        "output--role",
        "output--outside",
        "output--edge",
        "output--bar",
        "output--hint",
    }
    DEFAULT_CSS = """
    TextView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        & .output--prompt { text-style: bold; }
        & .output--edge { text-style: reverse; }
        & .output--role { text-style: bold; }
    }
    """
    BINDINGS = [
        bind_hidden("up,k", "scroll_up", "Scroll up", "output.up", "One line up"),
        bind_hidden("down,j", "scroll_down", "Scroll down", "output.down", "One line down"),
        bind_hidden("home", "scroll_home", "To the start", "output.home", "To the start"),
        bind_hidden("end", "follow", "Follow the end", "output.follow", "Follow the end"),
    ]

    class Scrolled(Message):
        """Other lines are visible."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.wrapped = WrappedText()
        self._text_marks = TextMarks()
        self._painter = TextPainter(self, self.wrapped, self._text_marks)
        self._hint = ""
        self._following = True
        self._ground: Style | None = None

    @property
    def text(self) -> str:
        """All the text there is, prompt included."""
        return self.wrapped.text

    @property
    def lines(self) -> list[Line]:
        """The text as it is wrapped now."""
        return self.wrapped.lines

    @property
    def hint(self) -> str:
        """What is shown while there is no text."""
        return self._hint

    @property
    def following(self) -> bool:
        """Whether new text keeps the end visible."""
        return self._following

    def reset(self, text: str = "", prompt_end: int | None = None) -> None:
        """Show another text, of which all, or the first `prompt_end` characters, are the prompt."""
        self._text_marks.prompt_end = len(text) if prompt_end is None else prompt_end
        self._following = True
        self._wrap(text)
        self.refresh()

    def set_roles(self, roles: Mapping[str, str] | None = None, persons: str = "") -> None:
        """Draw turns: `roles` are marks and what is shown for each, `persons` the marks of turns that are no reply."""
        marks, pictures = self._text_marks, with_roles(roles or {})
        if (self.wrapped.pictures, marks.persons) != (pictures, persons):
            self.wrapped.pictures, marks.roles, marks.persons = pictures, "".join(roles or ()), persons
            self._wrap(self.text)
            self._painter.clear()
            self.refresh()

    def append(self, text: str) -> None:
        if not text:
            return
        first = self.wrapped.append(text)
        self._grown()
        self.refresh_lines(first, len(self.lines) - first)

    def set_hint(self, hint: str) -> None:
        """Show this while there is no text."""
        if hint != self._hint:
            self._hint = hint
            self.refresh()

    def action_follow(self) -> None:
        self._following = True
        self._to_end()

    def action_scroll_home(self) -> None:
        self.scroll_to(y=0, animate=False)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected part of the text itself, not of its lines on the screen."""
        start, end = selection.start, selection.end
        first = 0 if start is None else self.wrapped.offset_at(start.x, start.y)
        last = len(self.text) if end is None else self.wrapped.offset_at(end.x, end.y)
        return self.text[first:last], "\n"

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        # Not rounded: the first small step of a wheel must already hold the text still.
        self._following = new_value >= self.max_scroll_y - NEAR
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled())

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """Give a new scrollbar the position: the text may have been scrolled before there was a bar."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def notify_style_update(self) -> None:
        """Draw again in the new colours."""
        super().notify_style_update()
        self._painter.clear()

    def on_resize(self) -> None:
        """Wrap for the new width; the end, or the first visible line, stays where it was."""
        following = self._following
        top = self.lines[min(self.scroll_offset.y, len(self.lines) - 1)].start
        # Another height alone (the prompt grew a line) must not cost what a long text costs to wrap.
        if self._text_width == self.wrapped.width:
            self._grown()
        else:
            self._wrap(self.text)
        self._painter.clear()
        if not following:
            self._following = False
            self.scroll_to(y=self.wrapped.row_of(top), animate=False)
        self._resized()
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw some lines; the style that they share is computed once, not for each."""
        if self._text_width != self.wrapped.width:  # the text came while this had no place on the screen
            self.call_later(self.on_resize)
        self._ground = self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._ground = None

    def render_line(self, y: int) -> Strip:
        width, base = self.scrollable_content_region.width, self._ground or self.rich_style
        if not self.text:
            return self._hint_line(y, width, base)
        row = y + self.scroll_offset.y
        if row >= len(self.lines):
            return Strip.blank(width, base)
        selection = self.text_selection
        return self._painter.strip(row, selection.get_span(row) if selection is not None else None, width, base)

    @property
    def _text_width(self) -> int:
        return self.scrollable_content_region.width - GUTTER

    def _wrap(self, text: str) -> None:
        self.wrapped.replace(text, self._text_width)
        self._grown()

    def _grown(self) -> None:
        """Have as many lines to scroll as there are now, and follow the end."""
        following = self._following
        self._set_height(len(self.lines))
        self._following = following
        if following and self.FOLLOWS_END and self._text_marks.cursor is None:
            self._to_end()

    def _resized(self) -> None:
        """Do what a subclass has to do after a resize."""

    def _to_end(self) -> None:
        # Forced: what has only now grown too high has no scrollbar yet.
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def _set_height(self, lines: int) -> None:
        """Set how many lines there are to scroll; the screen is laid out again only if a scrollbar comes or goes."""
        size = Size(self.scrollable_content_region.width, lines)
        higher = lines > self.container_size.height
        if not self.is_mounted or higher != self.show_vertical_scrollbar or size.width != self.virtual_size.width:
            self.virtual_size = size
        elif size != self.virtual_size:
            # Textual lays the whole screen out for every new size: half of what streaming text would cost.
            self.set_reactive(TextView.virtual_size, size)
            self._scroll_update(size)

    def _hint_line(self, y: int, width: int, base: Style) -> Strip:
        lines = wrap(self._hint, 0, width - 2 * GUTTER)
        if not 0 <= y - 1 < len(lines):
            return Strip.blank(width, base)
        line = lines[y - 1]
        style = base + self.get_component_rich_style("output--hint")
        text = " " * GUTTER + self._hint[line.start : line.end]
        return Strip([Segment(text, style)]).crop_extend(0, width, base)
