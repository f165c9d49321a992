"""Two runs side by side: what each has reached, and every setting that differs."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult

from tinygpt_tui.runs.differences import differences
from tinygpt_tui.runs.facts import RunFacts
from tinygpt_tui.runs.folder import RunSettings
from tinygpt_tui.ui.runs.table import COLUMNS
from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shared.row_table import RowTable
from tinygpt_tui.words import shortened

OUTCOMES = ("state", "steps", "loss", "parameters", "time", "started")
LONGEST = 26  # cells of a value


class DifferencesTable(RowTable[Text]):
    """A line for each setting."""

    HELP = """## Differences

Above, what the two runs have reached; below, the settings that differ, by the names they have in the form and as
flags. What is not listed is equal.
"""


class RunDifferencesScreen(Dialog[None]):
    """Shows a table."""

    DEFAULT_CSS = """
    RunDifferencesScreen {
        & > DialogBox { width: auto; min-width: 40; max-height: 92%; padding: 0; }
        & DifferencesTable { width: auto; max-width: 100%; height: auto; max-height: 100%; background: $surface; }
    }
    """
    BINDINGS = [
        bind_hidden("q", "cancel", "Close", "differences.close", "Back to the table of runs"),
    ]

    def __init__(self, first: tuple[RunFacts, RunSettings], second: tuple[RunFacts, RunSettings]) -> None:
        super().__init__("differences", "esc: back")
        self._first, self._second = first, second

    def compose_body(self) -> ComposeResult:
        yield DifferencesTable(cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        table = self.query_one(DifferencesTable)
        (one, first), (other, second) = self._first, self._second
        table.add_columns("", shortened(one.card.name, LONGEST), shortened(other.card.name, LONGEST))
        for name in OUTCOMES:
            column = COLUMNS[name]
            table.add_row(Text(column.title), *(Text(column.text(facts, False)) for facts in (one, other)))
        found = differences(first, second)
        for difference in found:
            values = (shortened(value, LONGEST) for value in (difference.first, difference.second))
            table.add_row(Text(shortened(difference.name, LONGEST), "bold"), *(Text(value) for value in values))
        if not found:
            table.add_row(Text("no setting differs", "bold"), Text(""), Text(""))
        table.focus()
