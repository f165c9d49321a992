"""A growing text as lines of some width: rows, columns in cells, and the character above or below."""

from __future__ import annotations

from bisect import bisect_right

from rich.cells import cell_len

from tinygpt_tui.ui.shared.wrapping import BREAKS, Line, shown, source_index, with_roles, wrap


class WrappedText:
    """Wraps only its last line again when text is added.

    Offsets count characters of `text`, rows count `lines`, columns and widths count cells.
    """

    def __init__(self, text: str = "", width: int = 1) -> None:
        self.pictures = with_roles({})  # how characters are drawn; replace the text when they change
        self.replace(text, width)

    def replace(self, text: str, width: int) -> None:
        """Have another text, or another width."""
        self.text, self.width = text, width
        self.lines = wrap(text, 0, width, self.pictures)

    def append(self, text: str) -> int:
        """Add text at the end; return the first row that changed."""
        first = len(self.lines) - 1
        self.text += text
        self.lines[first:] = wrap(self.text, self.lines[first].start, self.width, self.pictures)
        return first

    def source(self, line: Line) -> str:
        """Return the characters of a line, without its newline."""
        return self.text[line.start : line.end]

    def row_of(self, offset: int) -> int:
        """Return the row of the character at `offset`; a newline is at the end of its own line."""
        return bisect_right(self.lines, offset, key=lambda line: line.start) - 1

    def line_of(self, offset: int) -> Line:
        """Return the line of the character at `offset`."""
        return self.lines[self.row_of(offset)]

    def last_of(self, line: Line) -> int:
        """Return the last character of a line: its newline if it has one."""
        ends_here = self.text[line.end : line.end + 1]
        return line.end if ends_here and ends_here in BREAKS else max(line.start, line.end - 1)

    def column_of(self, offset: int) -> int:
        """Return how many cells of its line are before the character at `offset`."""
        return self._cells_before(self.line_of(offset), offset)

    def at_column(self, row: int, column: int) -> int:
        """Return the character of a row at `column` cells; beyond its end the last one."""
        line = self.lines[row]
        # Whole prefixes, because the width of a tab depends on the text before it.
        ends = range(line.start + 1, self.last_of(line) + 1)
        return line.start + bisect_right(ends, column, key=lambda end: self._cells_before(line, end))

    def above_or_below(self, offset: int, column: int, rows: int) -> int:
        """Return the character `rows` rows below (above, if negative) the one at `offset`, near `column`.

        It stays on the first and the last line.
        """
        last = self.row_of(len(self.text) - 1)  # a text that ends with a newline has an empty line after it
        return self.at_column(min(max(self.row_of(offset) + rows, 0), last), column)

    def offset_at(self, index: int, row: int) -> int:
        """Return the offset of the character that is drawn as number `index` of its row."""
        if row >= len(self.lines):
            return len(self.text)
        line = self.lines[row]
        return line.start + source_index(self.source(line), index, self.pictures)

    def _cells_before(self, line: Line, offset: int) -> int:
        return cell_len(shown(self.text[line.start : offset], self.pictures))
