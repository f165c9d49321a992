"""Choose a run to open: live, past, or of a shipped model."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widgets import DataTable, Static

from tinygpt_tui.runs.facts import RunFacts
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shared.row_table import RowTable
from tinygpt_tui.ui.train.run_list import OTHER_TEXT
from tinygpt_tui.words import loss_words, shortened

COLUMNS = ("name", "state", "steps", "best", "started", "corpus")


class RunTable(RowTable[str]):
    """A run a line."""

    HELP = """## Runs

All runs, live ones first, with the *best* validation loss of each. Enter opens one: its curves, samples and log. A ≠
marks losses that cannot be compared with the run shown now, because the text is another.
"""


class ChooseRunScreen(Dialog[str]):
    """Dismisses with the path of the run's model folder, or with None."""

    DEFAULT_CSS = """
    ChooseRunScreen {
        & > DialogBox { width: auto; max-height: 90%; padding: 0; }
        & RunTable { width: auto; max-width: 100%; height: auto; max-height: 100%; background: $surface; }
        & Static { width: auto; height: auto; padding: 1 2; }
    }
    """

    def __init__(self, rows: Sequence[RunFacts], corpus: str = "") -> None:
        """`corpus` is the text of the run that is shown now: losses of other texts are marked."""
        super().__init__("runs", "enter: open  esc: back")
        self._rows, self._corpus = rows, corpus

    def compose_body(self) -> ComposeResult:
        if self._rows:
            yield RunTable(cursor_type="row", zebra_stripes=True)
        else:
            yield Static("No runs yet: start one in the form.", markup=False)

    def on_mount(self) -> None:
        if not self._rows:
            return
        table = self.query_one(RunTable)
        table.add_columns(*COLUMNS)
        for row in self._rows:
            table.add_row(*_cells(row, self._corpus), key=row.card.path)
        table.focus()

    def on_data_table_row_selected(self, message: DataTable.RowSelected) -> None:
        message.stop()
        self.dismiss(message.row_key.value)


def _cells(row: RunFacts, corpus: str) -> tuple[str, ...]:
    card, loss = row.card, row.reached.best_loss
    mark = OTHER_TEXT if corpus and card.corpus != corpus else ""
    return (
        shortened(card.name, 20),
        f"▶ {card.state}" if card.live else card.state,
        f"{card.step:,}/{card.steps:,}",
        "–" if loss is None else f"{mark}{loss_words(loss, row.reached.best_tokens)}",
        "shipped" if card.origin == "shipped" else time.strftime("%d %b %H:%M", time.localtime(card.created)),
        shortened(card.corpus, 20),
    )
