"""What each token attends to: the attention weights of heads and layers, as maps over the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from textual.reactive import reactive

from tinygpt_tui.events.tracing import TraceStep
from tinygpt_tui.ui.inspect.drawing import Drawing, Line
from tinygpt_tui.ui.inspect.heat import SOFTER, Table, table_of
from tinygpt_tui.ui.inspect.heat_colours import HEAT_CLASSES, HEAT_CSS, palette_of
from tinygpt_tui.ui.inspect.passes import Pass, head_word
from tinygpt_tui.ui.inspect.step_view import label_cells, label_of, window_of
from tinygpt_tui.ui.pictures.pixels import HALF_CELL
from tinygpt_tui.ui.pictures.view import Picture, PictureView
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.branch_words import fitted
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.microscope import name_of

WIDEST, HIGHEST = 8, 2  # cells and lines of one weight
GAP = 2  # cells between two heads
HEAD_LINES = 4  # of the view beside the maps: title, formula, a gap, the weights in words
WORDED = 5  # weights in words
SMALLEST = 0.005  # weight in words
BEFORE = "…"  # the column of all tokens before those that are shown
NONE = ("This model has no attention:", "information passes between its tokens in another way.")


class Grid(NamedTuple):
    """Which layers and heads are drawn, how many cells and lines a weight takes, and which rows a map shows."""

    layers: range
    heads: range
    wide: int
    high: int
    rows: range


class AttentionMap(PictureView, Drawing, can_focus=True):
    """Draws as many layers and heads as fit, the chosen one among them; posts `Moved` when another is chosen."""

    HELP = (
        "## Attention\n\n"
        "A map for each head: a row is a token, its columns the tokens that it attends to. The stronger the colour, "
        "the larger the weight; each row sums to 1, and right of the diagonal is the future, which is masked. The "
        "weights are computed from the same queries and keys that the attention kernel received.\n\n"
        "Left and Right go through the heads, Up and Down through the layers; `,` and `.` go from token to token, and "
        "the line below lists what this one attends to. In a backpack the last maps are its senses' weights. "
        "In an encoder-decoder the encoder's maps come first, which see both ways; then of each block the answer's own "
        "map and its cross-attention, what it reads of the question.\n\n"
        "`v` changes between maps with a name at each token, and one picture: the chosen head, and beside it all heads "
        "of all layers. The picture comes first where the terminal draws pictures; elsewhere it is made of "
        "half-blocks."
    )
    COMPONENT_CLASSES = {
        "map--title",
        "map--muted",
        "map--token",
        *HEAT_CLASSES,
    }
    DEFAULT_CSS = (
        """
    AttentionMap {
        padding: 0 1;
        & .map--title { color: $accent; text-style: bold; }
        & .map--muted { color: $text-muted; }
        & .map--token { color: $accent; text-style: bold; }
    """
        + HEAT_CSS
        + "}"
    )
    BINDINGS = [
        bind("down", "go_layer(1)", "Layer", "attention.layer", "To the next layer", display="↑↓"),
        bind("v", "change_view", "View", "attention.view", "All heads as one picture, or maps with names"),
        bind_hidden("j", "go_layer(1)", "Layer", "attention.layer", "To the next layer"),
        bind_hidden("up,k", "go_layer(-1)", "Previous layer", "attention.layer_back", "To the previous layer"),
        bind("right", "go_head(1)", "Head", "attention.head", "To the next head", display="←→"),
        bind_hidden("left", "go_head(-1)", "Previous head", "attention.head_back", "To the previous head"),
    ]

    picture: reactive[bool | None] = reactive(None)
    """All heads as one picture; None: where the terminal draws pictures."""

    class Moved(Message):
        """A head of a layer was chosen."""

        step: TraceStep
        head: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pass = Pass()
        self._steps: list[TraceStep] = []
        self._at = self._head = self._token = 0
        self._over: list[Picture] = []
        self._drawings = 0

    @property
    def chosen(self) -> tuple[int, int]:
        """The layer and the head, both from 0."""
        return self._at, self._head

    def show_pass(self, walked: Pass, token: int) -> None:
        """Show a pass; layer and head stay if it has them."""
        self._pass, self._token, self._steps = walked, token, walked.attention
        self._choose(max(0, min(self._at, len(self._steps) - 1)), self._head)

    def go_to(self, step: TraceStep, head: int) -> None:
        """Choose a layer by its step, and a head."""
        place = next((at for at, layer in enumerate(self._steps) if layer.number == step.number), None)
        if place is not None:
            self._choose(place, head)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "go_layer":
            return len(self._steps) > 1
        if action == "go_head":
            return bool(self._steps) and len(self._steps[self._at].pictures) > 1
        if action == "change_view":
            return bool(self._steps) and not palette_of(self).plain
        return True

    def action_change_view(self) -> None:
        """Change between maps with names and one picture."""
        self.picture = not self.is_picture

    def watch_picture(self) -> None:
        self.redraw()

    @property
    def is_picture(self) -> bool:
        """Whether all heads are shown as one picture."""
        wanted = self.cell_pixels is not None if self.picture is None else self.picture
        return wanted and not palette_of(self).plain

    def use_pixels(self, cell: tuple[int, int]) -> None:
        super().use_pixels(cell)
        self.redraw()

    def pictures(self) -> Sequence[Picture]:
        return self._over

    def action_go_layer(self, direction: int) -> None:
        self._choose((self._at + direction) % len(self._steps), self._head)
        self.post_message(self.Moved(self._steps[self._at], self._head))

    def action_go_head(self, direction: int) -> None:
        self._choose(self._at, (self._head + direction) % len(self._steps[self._at].pictures))
        self.post_message(self.Moved(self._steps[self._at], self._head))

    def _choose(self, layer: int, head: int) -> None:
        self._at = layer
        self._head = min(head, len(self._steps[layer].pictures) - 1) if self._steps else head
        self.redraw()
        self.refresh_bindings()

    # Drawing

    def draw(self, width: int, height: int) -> list[Line]:
        style = {name: self.get_component_rich_style(f"map--{name}") for name in ("title", "muted", "token")}
        self._over = []
        if not self._steps:
            return [Line(words, style["muted"]).cut(width) for words in NONE] if self._pass.steps else []
        return self._lines_of(width, height, style)

    def _lines_of(self, width: int, height: int, style: dict[str, Style]) -> list[Line]:
        step = self._steps[self._at]
        first = Line()
        first.append(f"{title_of(step)}, layer {self._at + 1} of {len(self._steps)}", style["title"])
        first.append(f"   {head_word(step)} {self._head + 1} of {len(step.pictures)}", style["token"])
        first.append(f"   w  {step.symbols} = {', '.join(map(str, step.shape))}", style["muted"])
        lines = [first, Line(fitted(step.formula, width), style["muted"])]
        if self.is_picture:
            return [*lines, *self._picture_lines(len(lines), width, height, style), Line(""), self._words(width)]
        grid = self._grid(width, height - HEAD_LINES)
        if 1 < len(grid.layers) < len(self._steps):
            shown = f"   layers {grid.layers.start + 1}–{grid.layers.stop} in view (↑↓)"
            first.append(shown, style["token"])
        for layer in grid.layers:
            tables = [table_of(picture) for picture in self._steps[layer].pictures]
            heads = range(grid.heads.start, min(grid.heads.stop, len(tables)))
            if len(grid.layers) > 1:
                lines.append(Line(title_of(self._steps[layer]), style["token" if layer == self._at else "muted"]))
            lines += [self._heads(layer, heads, tables, grid, style), self._keys(heads, tables, grid, style)]
            for row in grid.rows:
                line = self._row(row, heads, tables, grid, style, labelled=True)
                lines += [line, *[self._row(row, heads, tables, grid, style, labelled=False)] * (grid.high - 1)]
        return [*lines, Line(""), self._words(width)]

    def _picture_lines(self, above: int, width: int, height: int, style: dict[str, Style]) -> list[Line]:
        from tinygpt_tui.ui.inspect.attention_picture import HeadsPicture

        size, cell = (width, height - HEAD_LINES), self.cell_pixels or HALF_CELL
        drawn = HeadsPicture(self._steps, self._pass.labels, self.chosen, self._token, palette_of(self), cell, size)
        self._drawings += 1
        self._over = [one for one in drawn.pictures(above, self._drawings) if one.region.right <= width]
        return drawn.lines(style["token"], style["muted"])

    def _grid(self, width: int, height: int) -> Grid:
        """Find the widest cells with which all heads fit, else those with which some do; then how many layers fit."""
        step, labels = self._steps[self._at], self._pass.labels
        count, cells = len(step.pictures), label_cells(labels) + 1
        columns, rows = step.pictures[0].columns, step.pictures[0].rows
        widths = range(WIDEST, 0, -1)
        fits = {wide: max(1, (width - cells + GAP) // (columns * wide + GAP)) for wide in widths}
        wide = next((wide for wide, heads in fits.items() if heads >= count), None)
        if wide is None:
            wide = next((wide for wide, heads in fits.items() if heads > 1), 1)
        heads = min(fits[wide], count)
        first = self._head // heads * heads
        shown = max(1, min(rows, height - 2))
        high = HIGHEST if wide >= 2 * HIGHEST and height >= len(self._steps) * (HIGHEST * rows + 3) else 1
        layers = min(len(self._steps), max(1, height // (high * rows + 3)))
        top = max(0, min(self._at - layers // 2, len(self._steps) - layers))
        start = window_of(rows, self._token, shown)
        return Grid(range(top, top + layers), range(first, first + heads), wide, high, range(start, start + shown))

    def _heads(self, layer: int, heads: range, tables: Sequence[Table], grid: Grid, style: dict[str, Style]) -> Line:
        word = head_word(self._steps[layer])
        line = Line(" " * (label_cells(self._pass.labels) + 1))
        for head in heads:
            is_chosen = (layer, head) == self.chosen
            mark = "▾" if is_chosen else " "
            forms = [f"{mark} {word} {head + 1}", f"{mark}{head + 1}"]
            cells = len(tables[head][0]) * grid.wide + GAP
            name = next((form for form in forms if cell_len(form) < cells), mark)
            line.append(set_cell_size(name, cells), style["token" if is_chosen else "muted"])
        return line

    def _keys(self, heads: range, tables: Sequence[Table], grid: Grid, style: dict[str, Style]) -> Line:
        """Write the tokens over their columns."""
        labels = self._pass.labels
        line = Line(" " * (label_cells(labels) + 1))
        for head in heads:
            before = len(tables[head][0]) - len(labels)
            for at, key in enumerate([*[BEFORE] * before, *map(name_of, labels)]):
                marked = at - before == self._token
                line.append(set_cell_size(key, grid.wide), style["token" if marked else "muted"])
            line.append(" " * GAP)
        return line

    def _row(
        self, row: int, heads: range, tables: Sequence[Table], grid: Grid, style: dict[str, Style], *, labelled: bool
    ) -> Line:
        labels, palette, marked = self._pass.labels, palette_of(self), row == self._token
        line = Line()
        if labelled:
            line = label_of(labels, row, label_cells(labels), style["token" if marked else "muted"], marked=marked)
        line.pad(label_cells(labels) + 1)
        for head in heads:
            values = tables[head][row]
            before = len(values) - len(labels)
            for column, value in enumerate(values):
                if column > row + before and not value:  # the future
                    line.append("·".ljust(grid.wide), style["muted"])
                else:
                    line.append(*palette.cell(value**SOFTER, 1.0, grid.wide, marked=marked))
            line.append(" " * GAP)
        return line

    def _words(self, width: int) -> Line:
        """Return what the marked token attends to in the chosen head."""
        table, labels = table_of(self._steps[self._at].pictures[self._head]), self._pass.labels
        if self._token >= len(table):
            return Line("")
        row = table[self._token]
        before = len(row) - len(labels)
        words = f"{name_of(labels[self._token])} attends to"
        for column in sorted(range(len(row)), key=lambda column: -row[column])[:WORDED]:
            at = column - before
            back = self._token - at
            name = "all before" if at < 0 else f"{name_of(labels[at])} {f'({back} back)' if back else '(itself)'}"
            entry = f"   {name} {row[column]:.0%}"
            if row[column] < SMALLEST or cell_len(words + entry) > width:
                break
            words += entry
        return Line(words)


def title_of(step: TraceStep) -> str:
    """Return which layer's weights these are."""
    return ", ".join(part for part in step.place if part != "attention") or step.title
