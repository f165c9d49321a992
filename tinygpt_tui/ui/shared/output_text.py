"""The text that a model writes, with the model's window, a fork and surprise marked, and a cursor to walk with."""

from __future__ import annotations

from rich.style import Style
from textual import events

from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.text_painter import LEVELS
from tinygpt_tui.ui.shared.text_view import NEAR, TextView

HELP_TEXT = (
    "The text: your prompt in bold, then what the model writes. The bar at the left marks the window: the text that "
    "the model still sees. Text outside the window is dim, and its first character inside is reversed. `window 128 of "
    "128` below the text means that the window is full: each new token pushes the oldest one out. In the microscope "
    "the bar marks what the model saw when it wrote the character under the cursor. ▸ marks the line of a fork.\n\n"
    "Ctrl+F shows facts: whether the text repeats itself, how many of its words the training text has, and the longest "
    "passage copied from it; while they are shown, what is copied is underlined.\n\n"
    "Scroll up to stop following the text, press End to follow again. Drag with the mouse to select."
)


class OutputText(TextView):
    """While there is a cursor, the arrow keys move it, and the view follows only the cursor."""

    COMPONENT_CLASSES = {
        "output--unknown",
        "output--cursor",
        "output--copied",
        *(f"output--{kind}-{level}" for kind in ("surprise", "influence") for level in range(1, LEVELS + 1)),
        "output--token-1",
        "output--token-2",
    }
    DEFAULT_CSS = """
    OutputText {
        & .output--unknown { color: $text-muted; text-style: strike; }
        & .output--cursor { color: $accent; background: $background; text-style: reverse; }
        & .output--surprise-2 { background: $warning 14%; color: $foreground; }
        & .output--surprise-3 { background: $warning 30%; color: $foreground; }
        & .output--surprise-4 { background: $error 34%; color: $foreground; }
        & .output--surprise-5 { background: $error 56%; color: $foreground; }
        & .output--surprise-6 { background: $error; color: $background; text-style: bold; }
        & .output--influence-1 { background: $success 14%; color: $foreground; text-style: underline; }
        & .output--influence-2 { background: $success 34%; color: $foreground; text-style: underline; }
        & .output--influence-3 { background: $success; color: $background; text-style: bold underline; }
        & .output--influence-4 { background: $error 14%; color: $foreground; text-style: italic; }
        & .output--influence-5 { background: $error 34%; color: $foreground; text-style: italic; }
        & .output--influence-6 { background: $error; color: $background; text-style: bold italic; }
        & .output--token-1 { background: $primary 30%; color: $foreground; text-style: underline; }
        & .output--token-2 { background: $warning 30%; color: $foreground; text-style: underline; }
        & .output--copied { text-style: underline; }
        &.-walking .output--edge { text-style: underline; }
        &:nocolor .output--surprise-2 { text-style: italic; }
        &:nocolor .output--surprise-3 { text-style: bold; }
        &:nocolor .output--surprise-4 { text-style: underline; }
        &:nocolor .output--surprise-5 { text-style: bold underline; }
        &:nocolor .output--influence-2 { text-style: bold underline; }
        &:nocolor .output--influence-5 { text-style: bold italic; }
        &:nocolor .output--influence-3 {
            background: $success 56%; color: $foreground; text-style: bold underline;
        }
        &:nocolor .output--influence-6 { background: $error 56%; color: $foreground; text-style: bold italic; }
        &:nocolor .output--surprise-6 {
            background: $error 56%; color: $foreground; text-style: bold italic underline;
        }
    }
    """
    BINDINGS = [
        bind_hidden("left", "walk_by(-1)", "Left", "output.walk_left", "One token back"),
        bind_hidden("right", "walk_by(1)", "Right", "output.walk_right", "One token on"),
        bind_hidden("up,k", "walk_rows(-1)", "Up", "output.walk_up", "One line up"),
        bind_hidden("down,j", "walk_rows(1)", "Down", "output.walk_down", "One line down"),
        bind_hidden("home", "walk_edge(-1)", "Line start", "output.walk_home", "The line's start"),
        bind_hidden("end", "walk_edge(1)", "Line end", "output.walk_end", "The line's end"),
        bind_hidden("pageup", "walk_pages(-1)", "Page up", "output.walk_page_up", "A page up"),
        bind_hidden("pagedown", "walk_pages(1)", "Page on", "output.walk_page_down", "A page down"),
        bind_hidden("ctrl+home", "walk_all(-1)", "Start", "output.walk_start", "First character"),
        bind_hidden("ctrl+end", "walk_all(1)", "End", "output.walk_last", "Last character"),
        # What the same keys do without a cursor: a class's own bindings of a key replace those of its bases.
        *TextView.BINDINGS,
        bind_hidden("pageup", "page_up", "Page up", "output.page_up", "A page up"),
        bind_hidden("pagedown", "page_down", "Page down", "output.page_down", "A page down"),
    ]

    class Walked(Message):
        """The cursor came to the character at `offset`."""

        offset: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._window_at_end = 0
        self._window_at_cursor: int | None = None
        self._hold_fork = False
        self._column = 0  # of cells, where the cursor would be if the line were long enough

    @property
    def HELP(self) -> str | None:  # type: ignore[override]
        """What F1 shows; none while there is a cursor: then the widget around it has the help."""
        return HELP_TEXT if self.cursor is None else None

    @property
    def prompt_end(self) -> int:
        """Where the prompt ends and what was written begins."""
        return self._text_marks.prompt_end

    @property
    def window_start(self) -> int:
        """Where the text that the model sees begins: at the end, or for the character under the cursor."""
        return self._text_marks.window_start

    @property
    def cursor(self) -> int | None:
        """The offset of the character under the cursor; None without a cursor."""
        return self._text_marks.cursor

    @property
    def in_sight(self) -> tuple[int, int]:
        """The first and the last visible offset."""
        top = min(self.scroll_offset.y, len(self.lines) - 1)
        bottom = min(top + max(1, self.scrollable_content_region.height), len(self.lines))
        return self.lines[top].start, min(self.lines[bottom - 1].end + 1, len(self.text))

    def reset(self, text: str = "", prompt_end: int | None = None) -> None:
        """Show another text, of which all, or the first `prompt_end` characters, are the prompt; without a cursor."""
        self.stop_walking()
        self._text_marks.window_start = self._window_at_end = 0
        self._window_at_cursor = self._text_marks.fork = None
        self._text_marks.unknown = frozenset()
        self._hold_fork = False
        super().reset(text, prompt_end)

    # Marks

    def set_window(self, start: int) -> None:
        """Mark the text from offset `start` as what the model still sees."""
        self._window_at_end = start
        self._mark_window()

    def set_cursor_window(self, start: int | None) -> None:
        """While there is a cursor, mark the text from `start` as what the model saw; None: as at the end."""
        self._window_at_cursor = start
        self._mark_window()

    def mark_fork(self, offset: int) -> None:
        """Mark the line where the text became another one at `offset`, and keep it visible while text arrives."""
        self._text_marks.fork, self._hold_fork = offset, True
        self._refresh_text(offset, offset)

    def show_place(self, offset: int) -> None:
        """Mark the line of the character at `offset`, and scroll to it."""
        self.mark_fork(offset)
        self._following = False
        self.scroll_to(y=max(0, self.wrapped.row_of(offset) - 2), animate=False)

    def set_unknown(self, characters: str) -> None:
        """Strike out these characters of the prompt: the model does not know them and did not read them."""
        if frozenset(characters) != self._text_marks.unknown:
            self._text_marks.unknown = frozenset(characters)
            self.refresh()

    def set_levels(self, levels: bytearray | None, kind: str = "surprise") -> None:
        """Colour the text by `surprise`, `influence` or `token`: each character by its level, 0 where it has none.

        Surprise is 1 (expected) to 6 (not at all); a token's level is what `SurpriseIndex.cuts` has. The array is read
        whenever a line is drawn, and may be shorter than the text; call `levels_changed` when its content changes.
        None: no colours.
        """
        self._text_marks.levels = bytearray() if levels is None else levels
        self._text_marks.kind = kind
        self.refresh()

    def levels_changed(self, start: int, end: int) -> None:
        """Draw characters `start` to `end` in their new colours."""
        self._refresh_text(start, max(start, end - 1))

    def level_style(self, level: int, kind: str = "surprise") -> Style:
        written = self.get_component_rich_style("output--written")
        return self.rich_style + written + self._painter.level_style(kind, level)

    def set_copied(self, copied: bytearray | None) -> None:
        """Underline the characters that have a 1 here; None: none."""
        if (wanted := bytearray() if copied is None else copied) != self._text_marks.copied:
            self._text_marks.copied = wanted
            self.refresh()

    # The cursor

    def walk(self, offset: int) -> None:
        """Put the cursor on the character at `offset`, or the nearest one, and keep it visible."""
        self._walk(offset)
        if self.cursor is not None:
            self._column = self.wrapped.column_of(self.cursor)

    def set_token(self, start: int, end: int) -> None:
        """Mark the token under the cursor, characters `start` to `end`, instead of one character of it."""
        marks = self._text_marks
        if (
            marks.cursor is not None
            and start <= marks.cursor < end
            and (marks.cursor, marks.cursor_end) != (start, end)
        ):
            marks.cursor, marks.cursor_end = start, end
            self._refresh_text(start, end)

    def stop_walking(self) -> None:
        """Remove the cursor; the visible lines stay."""
        if self.cursor is None:
            return
        self._refresh_text(self.cursor, max(self.cursor, self._text_marks.cursor_end))
        self._text_marks.cursor = None
        self._following = self.scroll_y >= self.max_scroll_y - NEAR
        self.remove_class("-walking")

    def keep_in_sight(self) -> None:
        """Scroll to the cursor if it is not visible."""
        if self.cursor is None:
            return
        row, height = self.wrapped.row_of(self.cursor), self.scrollable_content_region.height
        top = min(max(self.scroll_offset.y, row - height + 1), row)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked character, if there is a cursor."""
        widget, place = self.screen.get_widget_and_offset_at(event.screen_x, event.screen_y)
        if self.cursor is None or widget is not self or place is None or self.text_selection is not None:
            return
        line = self.lines[min(place.y, len(self.lines) - 1)]
        self.walk(min(self.wrapped.offset_at(place.x, place.y), self.wrapped.last_of(line)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the arrow keys move the cursor if there is one, else scroll."""
        return self.cursor is not None if action.startswith("walk_") else True

    def action_walk_by(self, tokens: int) -> None:
        """Move the cursor behind its token (1), or before it (-1)."""
        assert self.cursor is not None
        self.walk(max(self._text_marks.cursor_end, self.cursor + 1) if tokens > 0 else self.cursor - 1)

    def action_walk_rows(self, rows: int) -> None:
        """Move the cursor this many lines down, in the last chosen column."""
        assert self.cursor is not None
        self._walk(self.wrapped.above_or_below(self.cursor, self._column, rows))

    def action_walk_pages(self, pages: int) -> None:
        self.action_walk_rows(pages * max(1, self.scrollable_content_region.height - 1))

    def action_walk_edge(self, direction: int) -> None:
        assert self.cursor is not None
        line = self.wrapped.line_of(self.cursor)
        self.walk(line.start if direction < 0 else self.wrapped.last_of(line))

    def action_walk_all(self, direction: int) -> None:
        """Move the cursor to the first or the last character."""
        self.walk(0 if direction < 0 else len(self.text))

    def action_follow(self) -> None:
        """Go to the end and follow it; a fork is no longer kept visible."""
        self._hold_fork = False
        super().action_follow()

    def _walk(self, offset: int) -> None:
        if not self.text:
            return
        before, after = self.cursor, min(max(offset, 0), len(self.text) - 1)
        token_end = self._text_marks.cursor_end
        self._text_marks.cursor, self._text_marks.cursor_end = after, after + 1
        if before is None:
            self.add_class("-walking")
        drawn = (after, after) if before is None else (before, after, token_end)
        self._refresh_text(min(drawn), max(drawn))
        self.keep_in_sight()
        if before != after:
            self.post_message(self.Walked(after))

    def _mark_window(self) -> None:
        start = self._window_at_end if self._window_at_cursor is None else self._window_at_cursor
        before, self._text_marks.window_start = self._text_marks.window_start, start
        if start != before:
            self._refresh_text(*sorted((start, before)))

    def _refresh_text(self, first: int, last: int) -> None:
        """Draw the lines from the character at `first` to the one at `last` again."""
        row = self.wrapped.row_of(first)
        self.refresh_lines(row, self.wrapped.row_of(last) - row + 1)

    def _resized(self) -> None:
        self.keep_in_sight()

    def _to_end(self) -> None:
        fork = self._text_marks.fork
        if self._hold_fork and fork is not None and self.wrapped.row_of(fork) < self.max_scroll_y:
            self._hold_fork = False  # from here on the text is left: nothing follows the end any more
            self.scroll_to(y=max(0, self.wrapped.row_of(fork) - 1), animate=False, force=True)
        else:
            super()._to_end()
