"""The weights of two models, tensor by tensor: distance and direction."""

from __future__ import annotations

from typing import cast

from rich.text import Text
from textual import work
from textual.app import ComposeResult

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.events.generation import Compared, GenerationEnded, TensorCompared
from tinygpt_tui.events.requests import CompareWeights
from tinygpt_tui.ui.models.parts_tree import shape_words
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.dialog import Dialog, NoteLine
from tinygpt_tui.ui.shared.row_table import RowTable
from tinygpt_tui.ui.shell.tab_screen import Workbench
from tinygpt_tui.words import bar, shortened


class WeightsTable(RowTable[Text]):
    """A tensor a line."""

    HELP = """## Weights of two models

*distance* is the norm of the difference of two tensors, divided by the norm of the first one: 0 means equal, 1.41 is
typical of two unrelated tensors of equal norm. *cosine* is the cosine of the angle between them: 1 is the same
direction, 0 is unrelated. Tensors of different shapes cannot be compared: both shapes are shown. A dash marks a tensor
that only one model has.
"""


class CompareScreen(Dialog[None]):
    """Asks the engine process, and shows what it answers."""

    DEFAULT_CSS = """
    CompareScreen {
        & > DialogBox { width: 96%; height: 92%; }
        & WeightsTable { height: 1fr; background: $surface; }
    }
    """
    BINDINGS = [
        bind("v", "sort", "View", "compare.sort", "By distance, or as in the file"),
    ]

    def __init__(self, model: ModelCard, other: ModelCard) -> None:
        heading = f"{shortened(model.name, 30)} and {shortened(other.name, 30)}"
        super().__init__(heading, "v: sort by distance  esc: back")
        self._model, self._other = model, other
        self.rows: list[TensorCompared] = []
        self._by_distance = False

    def compose_body(self) -> ComposeResult:
        yield WeightsTable(cursor_type="row", zebra_stripes=True)
        yield NoteLine("comparing …", id="compare-note")

    def on_mount(self) -> None:
        self.query_one(WeightsTable).add_columns("tensor", "shape", "distance", "cosine")
        self.query_one(WeightsTable).focus()
        self._compare()

    @work(exit_on_error=False)
    async def _compare(self) -> None:
        engine = cast(Workbench, self.app).engine
        async for events in engine.start(CompareWeights(self._model.path, self._other.path)):
            for event in events:
                if isinstance(event, Compared):
                    self.rows += event.tensors
                elif isinstance(event, GenerationEnded):
                    self._end(event)

    def _end(self, event: GenerationEnded) -> None:
        if any(row.distance is not None for row in self.rows):  # else each row would be dashes
            self._fill()
        if event.reason == "failed":
            self.show_note(f"{event.message}\n{event.hint}".strip(), warning=True)
        else:
            self.show_note(_summary(self.rows))

    def action_sort(self) -> None:
        self._by_distance = not self._by_distance
        self.set_keys(f"v: {'as in the file' if self._by_distance else 'sort by distance'}  esc: back")
        if any(row.distance is not None for row in self.rows):
            self._fill()

    def _fill(self) -> None:
        rows = self.rows
        if self._by_distance:
            rows = sorted(rows, key=lambda row: -1.0 if row.distance is None else row.distance, reverse=True)
        table = self.query_one(WeightsTable)
        table.clear()
        room = max(20, self.size.width - 52)  # beside the other columns
        for row in rows:
            table.add_row(*_cells(row, room))


def _cells(row: TensorCompared, room: int) -> tuple[Text, ...]:
    name = row.name if len(row.name) <= room else "…" + row.name[-(room - 1) :]  # the end tells them apart
    if row.distance is None:
        shapes = f"{shape_words(row.shape) or '–'} | {shape_words(row.other_shape) or '–'}"
        return Text(name, "dim"), Text(shapes, "dim"), Text("–", "dim"), Text("–", "dim")
    cosine = "–" if row.cosine is None else f"{row.cosine:+.4f}"
    return (
        Text(name),
        Text(shape_words(row.shape)),
        Text(f"{row.distance:6.4f} {bar(row.distance / 2, 6)}"),
        Text(cosine),
    )


def _summary(rows: list[TensorCompared]) -> str:
    """Say how much of the two can be compared, and how far apart that is as a whole."""
    same = [row for row in rows if row.distance is not None]
    if not same:
        return "These models have no tensors of the same shape. Race (F4) compares what they write."
    equal = sum(row.distance == 0 for row in same)
    text = f"{len(same)} of {len(rows)} tensors have the same shape"
    if equal:
        text += f", {equal} are the same number for number"
    mean = sum(row.distance or 0 for row in same) / len(same)
    return f"{text}; mean distance {mean:.4f}"
