"""The architecture as a diagram, drawn from a real forward pass: a box for each step, sizes on every arrow."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tinygpt_tui.events.tracing import TraceStep
from tinygpt_tui.ui.inspect.passes import Part, Pass, Row, Wiring, rows_of, tree_of, wiring_of
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.branch_words import fitted
from tinygpt_tui.ui.shared.message import Message

INDENT = 2
ROOM_FOR_LANES = 4  # wires with space between them may take this fraction of the width: 1 / 4


class Line(NamedTuple):
    """A line of the diagram: the box of a row, or the arrow below it."""

    row: int
    is_arrow: bool


class PassDiagram(ScrollView, can_focus=True):
    """Shows a pass; the cursor goes from box to box and posts `Walked`."""

    HELP = (
        "## Walk\n\n"
        "The model as your prompt ran through it, from the token ids at the top to the logits at the bottom. Every "
        "box is a tensor that was computed, every arrow has its sizes; the wires at the left lead past boxes, to "
        "inputs further down.\n\n"
        "Up and Down go back and forward; Right opens a block, the attention in it, a head; Left closes it and goes "
        "out. Beside it: the tensor's name, its shape in letters and numbers, what was computed in one line, the line "
        "of the program that did it, and the numbers as a picture, a row for each token.\n\n"
        "B batch · T tokens (time) · C channels, the width of the stream · H heads · D width of a head · F width "
        "inside the MLP · V vocabulary · N state of a recurrent cell · S senses · E width of a sense's query · K "
        "heads of keys that several heads of queries share."
    )
    COMPONENT_CLASSES = {
        "diagram--box",
        "diagram--part",
        "diagram--cursor",
        "diagram--wire",
        "diagram--name",
        "diagram--shape",
    }
    DEFAULT_CSS = """
    PassDiagram {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & .diagram--box { color: $foreground; background: $panel; }
        & .diagram--part { color: $foreground; background: $primary 28%; text-style: bold; }
        & .diagram--cursor { color: $background; background: $foreground; text-style: bold; }
        & .diagram--wire { color: $secondary; }
        & .diagram--name { color: $foreground; text-style: italic; }
        & .diagram--shape { color: $text-muted; }
        &:focus .diagram--cursor { background: $accent; }
    }
    """
    BINDINGS = [
        bind("down,j", "walk(1)", "Forward", "inspect.forward", "To the next step"),
        bind("up,k", "walk(-1)", "Back", "inspect.back", "To the step before"),
        bind("right,enter", "into", "Into", "inspect.into", "Into a block, its attention, a head"),
        bind("left,backspace", "out", "Out", "inspect.out", "Out of it, and close it"),
        bind_hidden("pageup", "walk(-8)", "Page back", "inspect.page_back", "Eight steps back"),
        bind_hidden("pagedown", "walk(8)", "Page on", "inspect.page_on", "Eight steps forward"),
        bind_hidden("home", "edge(-1)", "First", "inspect.first", "To the first step"),
        bind_hidden("end", "edge(1)", "Last", "inspect.last", "To the last step"),
    ]

    class Walked(Message):
        """The cursor came to a part."""

        part: Part

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pass = Pass()
        self._tree: list[Part] = []
        self._open: set[tuple[object, ...]] = set()
        self._rows: list[Row] = []
        self._wiring = Wiring(frozenset(), (), 0)
        self._lines: list[Line] = []
        self._at = 0

    @property
    def part(self) -> Part | None:
        return self._rows[self._at].part if self._at < len(self._rows) else None

    def show_pass(self, walked: Pass) -> None:
        """Show a pass; open parts and the cursor stay if the model is the same."""
        before = self.part
        self._pass = walked
        self._tree = tree_of(walked.steps)
        self._lay_out(before.key if before is not None else None)

    def go_to(self, step: int, head: int) -> None:
        """Move the cursor to a head of a step; the parts around it open."""
        parts, found = self._tree, None
        while inner := next((part for part in parts if part.holds(step) and part.head in (None, head)), None):
            found, parts = inner, inner.parts
            if parts:
                self._open.add(inner.key)
        if found is not None:
            self._lay_out(found.key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        part = self.part
        if action == "into":
            return part is not None and bool(part.parts)
        if action == "out":
            return part is not None and (part.above is not None or part.key in self._open)
        return True

    def action_walk(self, count: int) -> None:
        self._go(min(max(self._at + count, 0), len(self._rows) - 1))

    def action_edge(self, direction: int) -> None:
        """Go to the first step, or the last."""
        self._go(0 if direction < 0 else len(self._rows) - 1)

    def action_into(self) -> None:
        """Open the part under the cursor, and go to its first step."""
        part = self.part
        if part is None or not part.parts:
            return
        self._open.add(part.key)
        self._lay_out(part.parts[0].key)

    def action_out(self) -> None:
        part = self.part
        if part is None:
            return
        outer = part if part.key in self._open else part.above
        if outer is not None:
            self._open.discard(outer.key)
            self._lay_out(outer.key)

    def on_click(self, event: events.Click) -> None:
        """Go to a box that is clicked; on the one under the cursor, into it or out of it."""
        y = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if not 0 <= y < len(self._lines):
            return
        row = self._lines[y].row
        if row != self._at:
            self._go(row)
        elif self._rows[row].is_open:
            self.action_out()
        else:
            self.action_into()

    # Layout

    def _lay_out(self, key: tuple[object, ...] | None) -> None:
        self._rows = rows_of(self._tree, self._open)
        self._wiring = wiring_of(self._rows, self._pass.steps)
        self._lines = []
        for at, row in enumerate(self._rows):
            self._lines.append(Line(at, False))
            if row.part.head is None:
                self._lines.append(Line(at, True))
        self.virtual_size = Size(self.size.width, len(self._lines))
        place = next((at for at, row in enumerate(self._rows) if row.part.key == key), 0)
        self._go(place)

    def _go(self, at: int) -> None:
        if not self._rows:
            self.refresh()
            return
        self._at = at
        y = next(y for y, line in enumerate(self._lines) if line.row == at)
        self.scroll_to_region(Region(0, max(0, y - 3), 1, 8), animate=False, force=True)
        self.refresh()
        self.refresh_bindings()
        self.post_message(self.Walked(self._rows[at].part))

    def on_resize(self) -> None:
        if self._rows:
            self._lay_out(self._rows[self._at].part.key)

    # Drawing

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        width, base = self.scrollable_content_region.width, self.rich_style
        if not 0 <= y < len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[y]
        draw = self._arrow if line.is_arrow else self._box
        segments = [Segment(text, base + style) for text, style in draw(line.row, width)]
        return Strip(segments).crop_extend(0, width, base)

    def _box(self, at: int, width: int) -> list[tuple[str, Style]]:
        row = self._rows[at]
        part = row.part
        style = self.get_component_rich_style
        trunk = "▾" if row.is_open else "▸" if part.parts else "•"
        left = self._wires(at, part.depth, is_arrow=False)
        kind = "cursor" if at == self._at else "part" if part.parts and part.step is None else "box"
        name = f" {part.step.name}" if part.step is not None and part.head is None else ""
        room = width - cell_len(left) - 5 - cell_len(name)
        return [
            (left, style("diagram--wire")),
            (f"{trunk} ", style("diagram--wire")),
            (f" {fitted(part.title, max(4, room))} ", style(f"diagram--{kind}")),
            (name, style("diagram--name")),
        ]

    def _arrow(self, at: int, width: int) -> list[tuple[str, Style]]:
        row = self._rows[at]
        style = self.get_component_rich_style
        starts = any(wire.start == at for wire in self._wiring.wires)
        continues = at in self._wiring.straight
        trunk = (
            "┤" if starts and continues else "╯" if starts else "│" if continues else "▾" if at == self._end else " "
        )
        left = self._wires(at, row.part.depth, is_arrow=True)
        step = row.part.last
        if row.is_open and row.part.step is None:  # what goes in
            inputs = self._pass.steps[row.part.first].inputs
            step = self._pass.steps[inputs[0]] if inputs else step
        room = width - cell_len(left) - 2
        shape = shape_of(step) if cell_len(shape_of(step)) <= room else ", ".join(map(str, step.shape))
        return [
            (left, style("diagram--wire")),
            (f"{trunk} ", style("diagram--wire")),
            (fitted(shape, max(1, room)), style("diagram--shape")),
        ]

    @property
    def _end(self) -> int:
        return len(self._rows) - 1

    def _wires(self, at: int, depth: int, *, is_arrow: bool) -> str:
        """Draw the wires left of a row, with what leads from them to its box."""
        each = 2 if self._wiring.lanes * 2 <= self.size.width // ROOM_FOR_LANES else 1
        cells = [" "] * (self._wiring.lanes * each + depth * INDENT + 1)
        turn: int | None = None  # where a wire turns to the box, or comes from it
        for wire in self._wiring.wires:
            column, last = wire.lane * each, wire.ends[-1]
            if is_arrow and wire.start == at:
                cells[column], turn = "╭", column
            elif not is_arrow and at in wire.ends:
                cells[column] = "╰" if at == last else "├"
                turn = column if turn is None else min(turn, column)
            elif wire.start < at < last or (is_arrow and at == wire.start):
                cells[column] = "│"
        if turn is not None:
            for column in range(turn + 1, len(cells)):
                cells[column] = {" ": "─", "│": "┼", "╰": "┴", "├": "┼"}.get(cells[column], cells[column])
        return "".join(cells)


def shape_of(step: TraceStep) -> str:
    """Return a shape in letters and numbers: `B, T, C = 1, 12, 128`."""
    return f"{step.symbols} = {', '.join(map(str, step.shape))}"
