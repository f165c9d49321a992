"""One step of a forward pass: its name, shape, maths, the line of the program, and its numbers as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from tinygpt_tui.events.tracing import LensRow, TraceStep
from tinygpt_tui.ui.inspect.drawing import Drawing, Line
from tinygpt_tui.ui.inspect.heat import Table, largest_of, legend, narrowed, number, table_of
from tinygpt_tui.ui.inspect.heat_colours import HEAT_CLASSES, HEAT_CSS, palette_of
from tinygpt_tui.ui.inspect.pass_diagram import shape_of
from tinygpt_tui.ui.inspect.passes import NOT_COMPARABLE, Part, Pass, head_word
from tinygpt_tui.ui.shared.branch_words import fitted
from tinygpt_tui.ui.shared.microscope import name_of, percent
from tinygpt_tui.words import bar

LABEL_CELLS = 6  # of a token's name, at most
LEAST_CELLS = 6  # columns that a picture must have to be one
ROOM_FOR_CODE = 17  # lines of the view from which the program's line is shown
ROOM_FOR_ALL = 22  # and from which there is air between its parts
CHANCES = 5
HIGHEST = 2  # lines of one number, where there is room


class StepView(Drawing):
    """Draws the step under the cursor, with one token's row marked."""

    COMPONENT_CLASSES = {
        "step--title",
        "step--name",
        "step--shape",
        "step--muted",
        "step--token",
        "step--bar",
        *HEAT_CLASSES,
    }
    DEFAULT_CSS = (
        """
    StepView {
        padding: 0 1;
        & .step--title { color: $accent; text-style: bold; }
        & .step--name { color: $foreground; text-style: italic; }
        & .step--shape { color: $foreground; text-style: bold; }
        & .step--muted { color: $text-muted; }
        & .step--token { color: $accent; text-style: bold; }
        & .step--bar { color: $primary; }
    """
        + HEAT_CSS
        + "}"
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pass = Pass()
        self._part: Part | None = None
        self._token = 0

    def show_part(self, walked: Pass, part: Part | None, token: int) -> None:
        """Show a part of a pass; `token` counts the rows of the pictures."""
        self._pass, self._part, self._token = walked, part, token
        self.redraw()

    def draw(self, width: int, height: int) -> list[Line]:
        part = self._part
        return self._lines_of(part, part.last, width, height) if part is not None else []

    def _lines_of(self, part: Part, step: TraceStep, width: int, height: int) -> list[Line]:
        style = {name: self.get_component_rich_style(f"step--{name}") for name in _STYLES}
        airy, of_group = height >= ROOM_FOR_ALL, part.step is None
        gap = [Line("")] if airy else []
        title = part.title if of_group else step.title
        name = "" if of_group else f"  {step.name}"
        head = "" if part.head is None else f"  {head_word(step)} {part.head + 1} of {len(step.pictures)}"
        trail = " › ".join(part.trail if part.head is None else part.trail[:-1])
        first = Line().append(title, style["title"]).append(name, style["name"]).append(head, style["token"])
        room = width - first.cells - 2
        if trail and room > 6:
            first.append(fitted(trail, room).rjust(room + 2), style["muted"])
        lines = [first, Line(shape_of(step), style["shape"])]
        if of_group:
            inside = " → ".join(dict.fromkeys(inner.title for inner in part.parts))
            lines += [Line(line) for line in _folded(inside, width)]
        else:
            lines += [Line(line) for line in _folded(step.formula, width)]
            if height >= ROOM_FOR_CODE and step.source:
                lines += [*gap, Line(fitted(f"{step.source}  {step.code}", width), style["muted"])]
        lines += gap
        tail = self._chances(step, width, style, full=step.kind == "logits" and height >= ROOM_FOR_CODE)
        if step.kind == "ids":
            return lines + self._ids(height - len(lines), style)
        numbers = (
            f"{number(step.least)} … {number(step.most)}   mean {number(step.mean)}   spread {number(step.spread)}"
        )
        lines.append(Line(fitted(numbers, width), style["muted"]))
        if tail:
            tail = [*gap, *tail]
        room = height - len(lines) - len(tail) - 2
        if room > 0 and step.pictures:
            lines += self._picture(part, step, width, room, style)
        return lines + tail

    def _picture(self, part: Part, step: TraceStep, width: int, height: int, style: dict[str, Style]) -> list[Line]:
        """Draw the rows of one picture, or of all heads side by side; the marked token's numbers; the legend."""
        labels, palette = self._pass.labels, palette_of(self)
        pictures = step.pictures if part.head is None else step.pictures[part.head : part.head + 1]
        tables = [table_of(picture) for picture in pictures]
        cells = label_cells(labels)
        count = min(len(tables), max(1, (width - cells - 1) // (LEAST_CELLS + 1)))
        each = (width - cells - 1 - (count - 1)) // count
        tables = tables[:count]
        columns = max(len(row) for table in tables for row in table)
        largest, rows = largest_of(tables), len(tables[0])
        lines = []
        if count > 1:
            height -= 1
        high = max(1, min(HIGHEST, height // rows))
        wide = next((wide for wide in (2 * high, 2, 1) if columns * wide <= each), 1)
        start = window_of(rows, self._token, height // high)
        if count > 1:  # which head is which
            numbers = Line(" " * (cells + 1))
            for head, table in enumerate(tables, start=1):
                numbers.append(str(head).ljust(len(narrowed(table[0], each)) * wide + 1), style["muted"])
            lines.append(numbers)
        for row in range(start, min(start + height // high, rows)):
            marked = row == self._token
            line = label_of(labels, row, cells, style["token"] if marked else style["muted"], marked=marked)
            below = Line(" " * line.cells)
            for place, table in enumerate(tables):
                for part_of in (line, below):
                    part_of.append(" " if place else "")
                for value in narrowed(table[row], each):
                    for part_of in (line, below):
                        part_of.append(*palette.cell(value, largest, wide, marked=marked))
            lines += [line, *[below] * (high - 1)]
        note = Line()
        for piece in legend(palette, step.least, largest, width, style["muted"]):
            note.append(*piece)
        shown = max(picture.each for picture in pictures) * -(-columns // each)
        if len(part.last.pictures) > count and part.head is None:
            note.append(f"  1–{count} of {len(step.pictures)}; → into each", style["muted"])
        elif step.kind != "weights" and shown > 1:
            note.append(f"  strongest of {shown}", style["muted"])
        return [*lines, self._marked(tables[0], labels, width, style), note.cut(width)]

    def _marked(self, table: Table, labels: Sequence[str], width: int, style: dict[str, Style]) -> Line:
        """Return the first numbers of the marked token, as a line."""
        if self._token >= len(table):
            return Line("")
        line = Line().append(f"{name_of(labels[self._token])}: ", style["token"])
        for value in table[self._token]:
            written = number(value)
            if line.cells + len(written) + 2 > width:
                line.append("…")
                break
            line.append(f"{written} ")
        return line

    def _ids(self, height: int, style: dict[str, Style]) -> list[Line]:
        labels, started = self._pass.labels, self._pass.started
        assert started is not None
        ids, cells = started.ids[len(started.ids) - started.rows :], label_cells(labels)
        start = window_of(len(labels), self._token, height)
        return [
            label_of(
                labels, row, cells, style["token" if row == self._token else "muted"], marked=row == self._token
            ).append(f"{ids[row]:>6}", Style(bold=row == self._token))
            for row in range(start, min(start + height, len(labels)))
        ]

    def _chances(self, step: TraceStep, width: int, style: dict[str, Style], *, full: bool) -> list[Line]:
        """Return what would be predicted after this step: as bars, or as a line."""
        lens = self._pass.lens_of(step)
        labels = self._pass.labels
        if lens is None or self._token >= len(lens.guesses) > 0:
            return []
        if not lens.guesses:
            return [Line(NOT_COMPARABLE, style["muted"])]
        after = f"after {name_of(labels[self._token])}"
        guesses = lens.guesses[self._token]
        if not full:
            words = "prediction" if step.kind == "logits" else "if it ended here,"
            return [Line(in_words(f"{words} {after}:", lens, self._token, width), style["muted"])]
        lines = [Line(f"prediction {after}", style["muted"])]
        room = max(4, min(30, width - LABEL_CELLS - 10))
        for guess in guesses[:CHANCES]:
            line = Line(set_cell_size(fitted(name_of(guess.text), LABEL_CELLS), LABEL_CELLS) + " ")
            line.append(bar(guess.probability, room).ljust(room), style["bar"])
            lines.append(line.append(f" {percent(guess.probability):>6}"))
        return lines


_STYLES = ("title", "name", "shape", "muted", "token", "bar")


def in_words(words: str, lens: LensRow, token: int, width: int) -> str:
    """Return the most likely tokens in a line, as many as fit: `after t: e 31%  o 12%`."""
    for guess in lens.guesses[token][:CHANCES]:
        entry = f"  {name_of(guess.text)} {guess.probability:.0%}"
        if cell_len(words + entry) > width:
            break
        words += entry
    return words


def label_cells(labels: Sequence[str]) -> int:
    """Return how many cells the tokens' names take."""
    return min(LABEL_CELLS, max((cell_len(name_of(label)) for label in labels), default=1)) + 1


def label_of(labels: Sequence[str], row: int, cells: int, style: Style, *, marked: bool) -> Line:
    """Return a token's name in `cells` and one more for a mark."""
    name = set_cell_size(fitted(name_of(labels[row]), cells - 1), cells - 1)
    return Line().append(("▸" if marked else " ") + name + " ", style)


def window_of(count: int, marked: int, room: int) -> int:
    """Return the first of `room` rows to show of `count`, so that the marked one is among them."""
    return max(0, min(marked - room // 2, count - room))


def _folded(text: str, width: int) -> list[str]:
    """Break a formula in two lines at most."""
    if cell_len(text) <= width:
        return [text]
    cut = text.rfind(" ", 0, width)
    return [text[:cut], fitted("  " + text[cut + 1 :], width)]
