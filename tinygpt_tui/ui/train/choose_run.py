"""Choose a run to open: live, past, or of a shipped model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Static

from tinygpt_tui.ui.shared.row_table import RowTable
from tinygpt_tui.ui.train.run_list import RunRow
from tinygpt_tui.words import loss_words, shortened

COLUMNS = ("name", "state", "steps", "loss", "started", "corpus")


class RunTable(RowTable[str]):
    """A run a line."""

    HELP = """## Runs

All runs, live ones first. Enter opens one: its curves, samples and log.
"""


class ChooseRunScreen(ModalScreen[str | None]):
    """Dismisses with the path of the run's model folder, or with None."""

    DEFAULT_CSS = """
    ChooseRunScreen {
        align: center middle;
        & > Vertical {
            width: auto; max-width: 100%; height: auto; max-height: 90%;
            background: $panel; border: round $border;
            border-title-color: $foreground; border-subtitle-color: $quiet;
        }
        & RunTable { width: auto; max-width: 100%; height: auto; max-height: 100%; background: $panel; }
        & Static { width: auto; height: auto; padding: 1 2; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="runs.cancel", tooltip="Open no run"),
    ]

    def __init__(self, rows: Sequence[RunRow]) -> None:
        super().__init__()
        self._rows = rows

    def compose(self) -> ComposeResult:
        """Yield the table, or a line if there are no runs."""
        with Vertical() as box:
            box.border_title = "runs"
            box.border_subtitle = "enter: open  esc: back"
            if not self._rows:
                yield Static("No runs yet: start one in the form.", markup=False)
                return
            yield RunTable(cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        """Fill the table."""
        if not self._rows:
            return
        table = self.query_one(RunTable)
        table.add_columns(*COLUMNS)
        for row in self._rows:
            table.add_row(*_cells(row), key=row.card.path)
        table.focus()

    def on_data_table_row_selected(self, message: DataTable.RowSelected) -> None:
        """Choose the run of the row."""
        message.stop()
        self.dismiss(message.row_key.value)

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


def _cells(row: RunRow) -> tuple[str, ...]:
    card = row.card
    return (
        shortened(card.name, 20),
        f"▶ {card.state}" if card.live else card.state,
        f"{card.step:,}/{card.steps:,}",
        "–" if row.best_loss is None else loss_words(row.best_loss, row.best_tokens),
        "shipped" if card.origin == "shipped" else time.strftime("%d %b %H:%M", time.localtime(card.created)),
        shortened(card.corpus, 20),
    )
