"""How lines of a text are drawn: prompt, window, cursor, fork, copied passages, and colours by level."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.strip import Strip
from textual.widget import Widget

from tinygpt_tui.ui.shared.contrast import ink_on
from tinygpt_tui.ui.shared.wrapped_text import WrappedText
from tinygpt_tui.ui.shared.wrapping import BREAKS, Line, shown, shown_index, source_index

GUTTER = 2  # cells: the mark of the window and a space
LEVELS = 6  # of each kind of colours
FORK = "▸"
NEWLINE, SPACE = "↵", "␣"  # the cursor on a newline, and on spaces that hang over the edge


@dataclass(slots=True)
class TextMarks:
    """What is marked in a text, by offsets."""

    prompt_end: int = 0
    window_start: int = 0  # of the text that the model sees
    cursor: int | None = None
    cursor_end: int = 0  # of the token under the cursor, which begins there
    fork: int | None = None
    unknown: frozenset[str] = frozenset()  # characters of the prompt that the model does not know
    # Of each character its level, 1 to LEVELS, or 0 for none; may be shorter than the text.
    levels: bytearray = field(default_factory=bytearray)
    kind: str = "surprise"  # what the levels are of: the styles are `output--KIND-LEVEL`
    copied: bytearray = field(default_factory=bytearray)  # 1 for each character that is underlined; may be shorter
    roles: str = ""  # the marks of all roles in a conversation
    persons: str = ""  # those of roles that are no reply


class TextPainter:
    """Draws lines of a text in the component styles (`output--…`) of a widget; what was drawn is cached."""

    def __init__(self, widget: Widget, text: WrappedText, marks: TextMarks) -> None:
        self._widget, self._text, self._marks = widget, text, marks
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(128)  # a page and what was above it
        self._styles: dict[tuple[str, str, int], Style] = {}

    def clear(self) -> None:
        """Draw everything again: the colours or the size changed."""
        self._strips.clear()
        self._styles.clear()

    def strip(self, row: int, selected: tuple[int, int] | None, width: int, base: Style) -> Strip:
        """Draw a row in `width` cells on the style `base`; `selected` is a part of it, an end of -1 its end."""
        marks, line = self._marks, self._text.lines[row]
        is_of_person = bool(marks.persons) and self._is_of_person(line.start)
        key = (
            is_of_person,
            row,
            line,
            tuple(
                _clamp(line, at)
                for at in (marks.prompt_end, marks.window_start, _offset(marks.cursor), marks.cursor_end)
            ),
            marks.window_start > 0,
            marks.cursor is None,
            marks.kind,
            bytes(marks.levels[line.start : line.end + 1]),  # its newline is surprising, too
            bytes(marks.copied[line.start : line.end]),
            selected,
            width,
            base,
            marks.unknown,
            marks.fork,
        )
        strip = self._strips.get(key)
        if strip is None:
            ground = base + self._component("person", partial=True) if is_of_person else base
            strip = self._strips[key] = self._draw(row, line, selected, width, ground)
        return strip

    def level_style(self, kind: str, level: int) -> Style:
        """Return the ink and the ground of a level; only what its rules name."""
        if not level:
            return Style.null()
        style = self._component(f"{kind}-{level}", partial=True)
        colours = self._widget.get_component_styles(f"output--{kind}-{level}")
        if colours.background.a:  # a partial style leaves out how much of the ground below shines through
            ground = self._widget.background_colors[1] + colours.background
            style += Style(color=ink_on(ground, colours.color).rich_color, bgcolor=ground.rich_color)
        return style

    def _component(self, name: str, *, partial: bool = False) -> Style:
        return self._widget.get_component_rich_style(f"output--{name}", partial=partial)

    def _draw(self, row: int, line: Line, span: tuple[int, int] | None, width: int, base: Style) -> Strip:
        source, pictures = self._text.source(line), self._text.pictures
        text = shown(source, pictures)
        levels = self._marks.levels[line.start : line.end + 1].ljust(len(source) + 1, b"\0")
        copied = self._marks.copied[line.start : line.end].ljust(len(source), b"\0")
        unknown, cursor = self._unknown_in(line), self._cursor_in(line, source)
        selected = range(0) if span is None else range(span[0], len(text) if span[1] < 0 else span[1])
        window = self._marks.window_start - line.start
        offsets = {self._marks.prompt_end - line.start, window, window + 1, *unknown, *(at + 1 for at in unknown)}
        roles = [at for at, character in enumerate(source) if character in self._marks.roles]
        offsets.update(at + place for at in roles for place in (0, 1))
        for marked in (levels, copied):
            offsets.update(at for at in range(1, len(source)) if marked[at] != marked[at - 1])
        cuts = {
            0,
            len(text),
            *(shown_index(source, offset, pictures) for offset in offsets if 0 < offset < len(source)),
        }
        cuts.update(x for x in (selected.start, selected.stop) if 0 < x < len(text))
        cuts.update((cursor.start, cursor.stop) if cursor.stop <= len(text) else ())
        segments = []
        for begin, end in pairwise(sorted(cuts)):
            at = source_index(source, begin, pictures)
            style = base + self._style_at(line.start + at, levels[at])
            if at in roles:
                style += self._component("role", partial=True)
            if at < len(source) and copied[at]:
                style += self._component("copied", partial=True)
            if at in unknown:
                style += self._component("unknown")
            if begin in selected:
                style += self._widget.screen.get_component_rich_style("screen--selection")
            if begin in cursor:
                style += self._component("cursor")
            segments.append(Segment(text[begin:end], style))
        if cursor.stop > len(text):
            segments.append(Segment(NEWLINE, base + self._component("cursor")))
        elif levels[-1] and self._text.text[line.end : line.end + 1] in (*BREAKS,):
            segments.append(Segment(" ", base + self._style_at(line.end, levels[-1])))
        strip = Strip([*self._bar(row, line, base), *Strip(segments).apply_offsets(0, row)])
        if cursor and cell_len(text[: cursor.start]) >= width - GUTTER:  # it would not be seen
            mark = NEWLINE if cursor.stop > len(text) else SPACE
            strip = Strip([*strip.crop(0, width - 1), Segment(mark, base + self._component("cursor"))])
        return strip.crop_extend(0, width, base)

    def _unknown_in(self, line: Line) -> set[int]:
        """Return the places of a line, counted from its start, whose characters the model left out of the prompt."""
        marks = self._marks
        if not marks.unknown or line.start >= marks.prompt_end:
            return set()
        part = self._text.text[line.start : min(line.end, marks.prompt_end)]
        return {at for at, character in enumerate(part) if character in marks.unknown}

    def _cursor_in(self, line: Line, source: str) -> range:
        """Return which characters of the shown line the cursor covers; a newline is one more than the line has."""
        cursor, last, pictures = self._marks.cursor, self._text.last_of(line), self._text.pictures
        if cursor is None or not (line.start < max(self._marks.cursor_end, cursor + 1) and cursor <= last):
            return range(0)
        begin = max(cursor, line.start) - line.start
        end = min(max(self._marks.cursor_end - 1, cursor), last) - line.start
        # A combining mark has no cell of its own.
        while begin and begin < len(source) and not cell_len(shown(source[begin], pictures)):
            begin -= 1
        first, last = shown_index(source, begin, pictures), shown_index(source, end + 1, pictures)
        return range(first, last + (end >= len(source)))

    def _style_at(self, offset: int, level: int) -> Style:
        is_prompt = offset < self._marks.prompt_end
        if self._marks.persons:
            is_prompt = self._is_of_person(offset)
        kind = "prompt" if is_prompt else "written"
        if offset < self._marks.window_start:
            kind += " outside"
        elif offset == self._marks.window_start and offset:
            kind += " edge"
        key = kind, self._marks.kind, level
        style = self._styles.get(key)
        if style is None:
            parts = [self._component(part) for part in kind.split()]
            if level and kind.endswith("edge"):  # in reverse a strong colour would look weak
                parts[-1] = Style(underline=True)
            if self._marks.persons and is_prompt:
                parts.append(self._component("person", partial=True))
            style = self._styles[key] = Style.combine([*parts, self.level_style(self._marks.kind, level)])
        return style

    def _is_of_person(self, offset: int) -> bool:
        """Whether the character at `offset` is in a turn that is no reply."""
        last = max(self._text.text.rfind(mark, 0, offset + 1) for mark in self._marks.roles)
        return last >= 0 and self._text.text[last] in self._marks.persons

    def _bar(self, row: int, line: Line, base: Style) -> list[Segment]:
        """Draw the gutter; each cell of it counts as the line's beginning when text is selected."""
        marks = self._marks
        if line.end < marks.window_start or (marks.cursor is not None and line.start > marks.cursor):
            mark = " "
        elif line.start < marks.window_start:
            mark = "╭"
        else:
            mark = "│"
        style = base + self._component("bar") + Style.from_meta({"offset": (0, row)})
        forked = marks.fork is not None and marks.fork < len(self._text.text) and self._text.row_of(marks.fork) == row
        return [Segment(mark, style), Segment(FORK if forked else " ", style)]


def _offset(offset: int | None) -> int:
    return -1 if offset is None else offset


def _clamp(line: Line, offset: int) -> int:
    """Return where in a line an offset is; before and after it all places are alike."""
    return min(max(offset - line.start, -1), line.end - line.start + 1)
