"""A table whose cursor is a row: Home and End go to the first and the last one, as in every list."""

from __future__ import annotations

from typing import TypeVar

from textual.widgets import DataTable

from tinygpt_tui.ui.shared.binding import bind_hidden

Cell = TypeVar("Cell")


class RowTable(DataTable[Cell]):
    """Textual's own Home and End move along a row, which such a table has no use for."""

    BINDINGS = [
        bind_hidden("home", "scroll_top", "First", "table.first", "To the first row"),
        bind_hidden("end", "scroll_bottom", "Last", "table.last", "To the last row"),
    ]
