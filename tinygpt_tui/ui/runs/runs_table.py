"""The table of runs on the screen: as many columns as fit, a row for each run, and the cursor that stays on its run."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import DataTable

from tinygpt_tui.runs.facts import RunFacts
from tinygpt_tui.ui.runs.rows import RunRows
from tinygpt_tui.ui.runs.table import COLUMNS, NARROW, columns_for, title_of
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.row_table import RowTable
from tinygpt_tui.ui.train.run_list import OTHER_TEXT

MARK = "●"


class RunsTable(RowTable[Text]):
    """Shows `RunRows`."""

    BINDINGS = [
        bind("enter", "select_cursor", "Open", "runs.train", "Its curves, samples and log, in Train"),
    ]
    HELP = f"""## Runs

All runs, live ones first. A digit sorts by its column, the same digit again in reverse; so does a click on a column's
title. `/` filters. The rows of live runs update by themselves.

Losses are comparable only on the same text: {OTHER_TEXT} marks those of another text than the selected run's.

Enter opens a run's curves, samples and log in the Train tab; `g` generates with its model; `h` is its time machine.
Space marks a run ●, and `c` shows in which settings the marked one differs from this one. Notes are saved with the
run. A deleted run is in the trash, the last ten of them, and `z` restores it. `e` makes a page about the run to
share: Markdown, or a picture if the name ends in `.svg`.
"""

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True)
        self._rows = RunRows()
        self._columns: list[str] = []
        self._corpus = ""  # of the selected run

    @property
    def selected(self) -> RunFacts | None:
        at, shown = self.cursor_row, self._rows.shown
        return shown[at] if 0 <= at < len(shown) else None

    @property
    def _width(self) -> int:
        """Cells there are; a lesson may be beside the table."""
        return self.size.width or self.app.size.width

    def on_resize(self) -> None:
        if self._columns and self._columns != columns_for(self._width):
            self.show_rows(self._rows)

    def show_rows(self, rows: RunRows, select: str | None = None) -> None:
        """Show the rows; the cursor goes to the run with the path `select`, or stays on its run."""
        here = select or (self.selected.card.path if self.selected else None)
        self._rows = rows
        self._columns = columns_for(self._width)
        place = next((at for at, facts in enumerate(rows.shown) if facts.card.path == here), 0)
        self._corpus = rows.shown[place].card.corpus if rows.shown else ""
        with self.prevent(DataTable.RowHighlighted):
            top = self.scroll_y
            self.clear(columns=True)
            cells = [self._cells(facts) for facts in rows.shown]
            for number, name in enumerate(COLUMNS, start=1):
                if name in self._columns:
                    title = title_of(name, rows.sorted_by, rows.is_reversed, number)
                    at = self._columns.index(name)
                    # Without a width, a table that was drawn before it measured its rows stays too narrow.
                    width = max(cell_len(text) for text in (title, *(row[at].plain for row in cells)))
                    self.add_column(title, width=width, key=name)
            for facts, row in zip(rows.shown, cells, strict=True):
                self.add_row(*row, key=facts.card.path)
            if rows.shown:
                self.move_cursor(row=place, animate=False)
                self.scroll_to(y=top, animate=False)
        self.display = bool(rows.shown)

    def on_data_table_header_selected(self, message: DataTable.HeaderSelected) -> None:
        message.stop()
        self._rows.sort_by(str(message.column_key.value))
        self.show_rows(self._rows)

    @property
    def has_marks(self) -> bool:
        """Whether a loss is marked as one of another text."""
        return any(self._is_other(facts) for facts in self._rows.shown)

    def _is_other(self, facts: RunFacts) -> bool:
        return facts.card.corpus != self._corpus and facts.reached.best_loss is not None

    def mark_other_texts(self) -> None:
        """Mark the losses that cannot be compared with the selected run's."""
        corpus = self.selected.card.corpus if self.selected else ""
        if corpus != self._corpus and "loss" in self._columns:
            self._corpus = corpus
            for facts in self._rows.shown:
                self.update_cell(facts.card.path, "loss", self._cell(facts, "loss"))

    def _cells(self, facts: RunFacts) -> list[Text]:
        return [self._cell(facts, name) for name in self._columns]

    def _cell(self, facts: RunFacts, name: str) -> Text:
        column = COLUMNS[name]
        text = column.text(facts, self._width < NARROW)
        style = "bold" if facts.card.live else ""
        if name == "name":
            text = f"{MARK if facts.card.path == self._rows.marked else ' '} {text}"
        if name == "loss":
            is_other = self._is_other(facts)
            text = f"{OTHER_TEXT if is_other else ' '}{text}"
            style = "dim" if is_other else style
        return Text(text, style, justify="right" if column.right else "left", no_wrap=True)
