"""Cursor movement in wrapped text: rows, columns in cells, and the character above or below."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from rich.cells import cell_len

from tinygpt_tui.ui.shared.wrapping import Line, shown


def row_of(lines: Sequence[Line], offset: int) -> int:
    """Return the line of the character at `offset`; a newline is at the end of its own line."""
    return bisect_right(lines, offset, key=lambda line: line.start) - 1


def last_of(text: str, line: Line) -> int:
    """Return the last character of a line: its newline if it has one."""
    ends_here = line.end < len(text) and text[line.end] == "\n"
    return line.end if ends_here else max(line.start, line.end - 1)


def column_of(text: str, line: Line, offset: int) -> int:
    """Return how many cells of `line` are before the character at `offset`."""
    return cell_len(shown(text[line.start : offset]))


def at_column(text: str, line: Line, column: int) -> int:
    """Return the character of `line` at `column` cells; beyond its end the last one."""
    # Whole prefixes, because the width of a tab depends on the text before it.
    last = last_of(text, line)
    ends = range(line.start + 1, last + 1)
    return line.start + bisect_right(ends, column, key=lambda end: column_of(text, line, end))


def above_or_below(text: str, lines: Sequence[Line], offset: int, column: int, rows: int) -> int:
    """Return the character `rows` lines below (above, if negative) the one at `offset`, near `column`.

    It stays on the first and the last line.
    """
    reach = row_of(lines, len(text) - 1)  # a text that ends with a newline has an empty line after it
    row = min(max(row_of(lines, offset) + rows, 0), reach)
    return at_column(text, lines[row], column)
