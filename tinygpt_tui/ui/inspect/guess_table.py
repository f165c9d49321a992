"""The prediction after each layer: what the model would predict if it ended there (the logit lens)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from tinygpt_tui.events.tracing import LensRow
from tinygpt_tui.ui.inspect.drawing import Drawing, Line
from tinygpt_tui.ui.inspect.heat_colours import HEAT_CLASSES, HEAT_CSS, palette_of
from tinygpt_tui.ui.inspect.passes import NOT_COMPARABLE, Pass
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.branch_words import fitted
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.microscope import name_of, percent
from tinygpt_tui.words import bar

TITLE_CELLS = 11
WIDEST = 8  # cells of a guess
FADED = 0.45  # of the colour's strength, because the guess is written on it
BAR_CELLS = 30
BARS_CELLS = 56  # of the bars with names and percentages
ROOM_FOR_BOTH = 110
CHANCES = 8


class GuessTable(Drawing, can_focus=True):
    """A row for each layer, the last one on top, a column for each token; posts `Moved` for another token."""

    HELP = (
        "## Guesses\n\n"
        "What the model would predict if it ended after a layer: the residual stream goes from there straight to the "
        "final norm and the head (the *logit lens*). Columns are the tokens of your prompt, each with the predicted "
        "next token; the stronger the colour, the higher the probability. A prediction that is correct in the prompt "
        "is bold and underlined. The top row is the model's own prediction.\n\n"
        "Left and Right go from token to token, Up and Down from layer to layer; below are the most likely tokens "
        "there."
    )
    COMPONENT_CLASSES = {
        "guess--title",
        "guess--muted",
        "guess--cursor",
        "guess--bar",
        *HEAT_CLASSES,
    }
    DEFAULT_CSS = (
        """
    GuessTable {
        padding: 0 1;
        & .guess--title { color: $accent; text-style: bold; }
        & .guess--muted { color: $text-muted; }
        & .guess--cursor { text-style: reverse; }
        & .guess--bar { color: $primary; }
    """
        + HEAT_CSS
        + "}"
    )
    BINDINGS = [
        bind("up", "go_layer(1)", "Layer", "guess.layer", "To the layer above", display="↑↓"),
        bind_hidden("k", "go_layer(1)", "Layer", "guess.layer", "To the layer above"),
        bind_hidden("down,j", "go_layer(-1)", "Layer below", "guess.layer_back", "To the layer below"),
        bind("right", "go_token(1)", "Token", "guess.token", "To the next token", display="←→"),
        bind_hidden("left", "go_token(-1)", "Previous token", "guess.token_back", "To the previous token"),
    ]

    class Moved(Message):
        """The user wants another token."""

        direction: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pass = Pass()
        self._row_at: int | None = None  # None: the last one
        self._token = 0

    @property
    def row(self) -> int:
        """The chosen row; 0 is before the first layer."""
        last = len(self._pass.lens) - 1
        return last if self._row_at is None else min(self._row_at, last)

    def show_pass(self, walked: Pass, token: int) -> None:
        self._pass, self._token = walked, token
        self.redraw()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return len(self._pass.lens) > 1 if action == "go_layer" else True

    def action_go_layer(self, direction: int) -> None:
        self._row_at = min(max(self.row + direction, 0), len(self._pass.lens) - 1)
        self.redraw()

    def action_go_token(self, direction: int) -> None:
        self.post_message(self.Moved(direction))

    # Drawing

    def draw(self, width: int, height: int) -> list[Line]:
        if not self._pass.lens:
            return []
        style = {name: self.get_component_rich_style(f"guess--{name}") for name in ("title", "muted", "bar")}
        style["cursor"] = self.get_component_rich_style("guess--cursor", partial=True)
        return self._lines_of(width, height, style)

    def _lines_of(self, width: int, height: int, style: dict[str, Style]) -> list[Line]:
        labels, lens = self._pass.labels, self._pass.lens
        wide = min(
            WIDEST, max(3, 2 + max(cell_len(name_of(guesses[0].text)) for row in lens for guesses in row.guesses))
        )
        # Larger if there is room, for projectors.
        wide += 2 if len(labels) * (wide + 2) <= width - TITLE_CELLS else 0
        high = 2 if 2 * len(lens) + CHANCES + 4 <= height else 1
        columns = max(1, (width - TITLE_CELLS) // wide)
        first = max(0, min(self._token - columns // 2, len(labels) - columns))
        shown = range(first, min(first + columns, len(labels)))
        tokens = Line().append(set_cell_size(" token", TITLE_CELLS), style["muted"])
        for at in shown:
            name = fitted(name_of(labels[at]), wide - 1).center(wide)
            tokens.append(name, style["title" if at == self._token else "muted"])
        room = max(1, min(len(lens), (height - 4) // high))
        start = max(0, min(len(lens) - room, len(lens) - 1 - self.row - room // 2))
        rows: list[Line] = []
        for at in list(reversed(range(len(lens))))[start : start + room]:
            rows.append(self._guesses(lens[at], at, shown, wide, style))
            if high > 1:
                rows.append(self._guesses(lens[at], at, shown, wide, style, written=False))
        more = max(1, height - len(rows) - 2)
        bars = self._chances(more, min(width, BARS_CELLS), style)
        if width >= ROOM_FOR_BOTH:
            bars = _side_by_side(bars, self._grown(more, style), BARS_CELLS)
        return [*rows, tokens, Line(""), *bars]

    def _guesses(
        self, row: LensRow, at: int, shown: range, wide: int, style: dict[str, Style], *, written: bool = True
    ) -> Line:
        """Return one layer as a line; not `written`, it makes the line above it higher."""
        chosen, palette, labels = at == self.row, palette_of(self), self._pass.labels
        title = f"{'▸' if chosen else ' '}{row.title}" if written else ""
        line = Line().append(set_cell_size(title, TITLE_CELLS), style["title" if chosen else "muted"])
        if not row.guesses:
            return line.append(NOT_COMPARABLE if written else "", style["muted"])
        for place in shown:
            guess = row.guesses[place][0]
            fill, ground = palette.cell(guess.probability * FADED, 1.0, wide)
            if not written:
                line.append(fill, ground)
                continue
            name = fitted(name_of(guess.text), wide - 2)
            right = place + 1 < len(labels) and labels[place + 1] == guess.text
            own = ground + Style(bold=right, underline=right)
            if place == self._token and chosen:
                own += style["cursor"]
            before = (wide - cell_len(name)) // 2
            line.append(fill[:before], ground).append(name, own)
            line.append(fill[: wide - before - cell_len(name)], ground)
        return line

    def _chances(self, room: int, width: int, style: dict[str, Style]) -> list[Line]:
        """Return the most likely tokens at the cursor, as bars."""
        row, labels = self._pass.lens[self.row], self._pass.labels
        where = (
            "the model's prediction" if self.row == len(self._pass.lens) - 1 else f"the prediction after {row.title}"
        )
        actual = labels[self._token + 1] if self._token + 1 < len(labels) else None
        follows = f"  (▸ next is {name_of(actual)})" if actual is not None else ""
        lines = [Line(f" {where}, after {name_of(labels[self._token])}{follows}", style["muted"])]
        if not row.guesses:
            return [*lines, Line(f" {NOT_COMPARABLE}", style["muted"])]
        likely = row.guesses[self._token][: min(CHANCES, room - 1)]
        return lines + [_bar(one.text, one.probability, one.text == actual, width, style) for one in likely]

    def _grown(self, room: int, style: dict[str, Style]) -> list[Line]:
        """Return the probability of the model's prediction after each layer."""
        lens = self._pass.lens
        final = lens[-1].guesses[self._token][0].text
        lines = [Line(f"{name_of(final)} after each layer", style["muted"])]
        for row in [row for row in reversed(lens) if row.guesses][: room - 1]:
            found = next((guess for guess in row.guesses[self._token] if guess.text == final), None)
            line = Line(set_cell_size(row.title, TITLE_CELLS))
            line.append(bar(found.probability if found else 0.0, BAR_CELLS).ljust(BAR_CELLS), style["bar"])
            least = row.guesses[self._token][-1].probability
            lines.append(line.append(f" {percent(found.probability) if found else '<' + percent(least):>6}"))
        return lines


def _bar(text: str, probability: float, marked: bool, width: int, style: dict[str, Style]) -> Line:
    cells = min(BAR_CELLS, max(6, width - WIDEST - 12))
    line = Line(("▸" if marked else " ") + set_cell_size(fitted(name_of(text), WIDEST), WIDEST) + " ")
    line.append(bar(probability, cells).ljust(cells), style["bar"])
    return line.append(f" {percent(probability):>6}")


def _side_by_side(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    lines = []
    for one, other in zip_longest(left, right):
        line = one if one is not None else Line()
        if other is not None:
            line.pad(width).extend(other)
        lines.append(line)
    return lines
