"""A table whose cursor is a row: Home and End go to the first and the last one, as in every list."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.widgets import DataTable

Cell = TypeVar("Cell")


class RowTable(DataTable[Cell]):
    """Textual's own Home and End move along a row, which such a table has no use for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home", "scroll_top", "First", id="table.first", show=False, tooltip="To the first row"),
        Binding("end", "scroll_bottom", "Last", id="table.last", show=False, tooltip="To the last row"),
    ]
