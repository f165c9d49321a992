"""The embeddings of the vocabulary as a map: tokens that the model treats alike are close together."""

from __future__ import annotations

from collections.abc import Sequence
from math import dist
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.geometry import Region

from tinygpt_tui.events.tracing import TokenPlace
from tinygpt_tui.ui.inspect.drawing import Drawing, Line
from tinygpt_tui.ui.inspect.passes import Pass
from tinygpt_tui.ui.pictures.view import Picture, PictureView
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.branch_words import fitted
from tinygpt_tui.ui.shared.microscope import name_of

if TYPE_CHECKING:
    from tinygpt_tui.ui.pictures.pixels import Pixels

HEAD_LINES, FOOT_LINES = 1, 2
VOWELS = frozenset("aeiouyAEIOUY")
# Where a token is drawn whose own cell is taken: the nearest free one.
NEARBY = (
    (0, 0),
    (1, 0),
    (-1, 0),
    (0, 1),
    (0, -1),
    (2, 0),
    (-2, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
    (3, 0),
    (-3, 0),
)
NONE = "This model has no embeddings: its tokens are not vectors."


class TokenMap(PictureView, Drawing, can_focus=True):
    """Draws each token where its embedding is on the two principal components; the arrows choose one."""

    HELP = (
        "## Map\n\n"
        "Each token of the vocabulary is a vector, its embedding. The map shows the two directions in which these "
        "vectors differ most (principal components); tokens that occur in the same places of the text are drawn "
        "close together: vowels, capitals, punctuation. Two directions are only a part of the whole: the first line "
        "says how much. The line below names the tokens that are nearest to the chosen one in all directions (the "
        "cosine of the two embeddings: 1 is the same direction).\n\n"
        "Where the terminal draws pictures, lines lead from the chosen token to the nearest ones, and from each token "
        "that found no room at its place to that place.\n\n"
        "The arrows go to the next token in a direction; `,` and `.` choose the tokens of the prompt. `u` shows the "
        "map before training, where all places are random."
    )
    COMPONENT_CLASSES = {"map--lower", "map--vowel", "map--capital", "map--other", "map--chosen"}
    DEFAULT_CSS = """
    TokenMap {
        padding: 0 1;
        & .map--lower { color: $foreground; }
        & .map--vowel { color: $accent; text-style: bold; }
        & .map--capital { color: $primary; text-style: underline; }
        & .map--other { color: $text-muted; }
        & .map--chosen { text-style: reverse bold; }
    }
    """
    BINDINGS = [
        bind("right", "go(1, 0)", "Token", "map.go", "To the next token that way", display="←↑↓→"),
        bind_hidden("left", "go(-1, 0)", "Token on the left", "map.left", "To the next token"),
        bind_hidden("down,j", "go(0, 1)", "Down", "map.down", "To the next token"),
        bind_hidden("up,k", "go(0, -1)", "Up", "map.up", "To the next token"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pass = Pass()
        self._chosen = 0
        self._cells: dict[int, tuple[int, int]] = {}  # where each token is drawn, column and line
        self._over: list[Picture] = []

    def show_pass(self, walked: Pass, token: int) -> None:
        """Show the vocabulary of a pass; the selected token of the prompt is chosen."""
        self._pass = walked
        text = walked.labels[token] if token < len(walked.labels) else ""
        self._chosen = next((at for at, place in enumerate(walked.places) if place.text == text), 0)
        self.redraw()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show the key only where there are tokens to go to."""
        return action != "go" or len(self._pass.places) > 1

    def action_go(self, right: int, down: int) -> None:
        """Choose the nearest token in a direction; a line counts as two columns, as it looks."""
        if self._chosen not in self._cells:
            return
        column, row = self._cells[self._chosen]

        def distance(at: int) -> float:
            x, y = self._cells[at][0] - column, 2 * (self._cells[at][1] - row)
            along, aside = (x * right, y) if right else (y * down, x)
            return along + 2 * abs(aside) if along > 0 else float("inf")

        nearest = min(self._cells, key=distance)
        if distance(nearest) < float("inf"):
            self._chosen = nearest
            self.redraw()

    # Drawing

    def draw(self, width: int, height: int) -> list[Line]:
        places = self._pass.places
        self._over = []
        styles = {name: self.get_component_rich_style(f"map--{name}") for name in
                  ("lower", "vowel", "capital", "other", "chosen")}  # fmt: skip
        if not places:
            return [Line(fitted(NONE, width), styles["other"])] if self._pass.steps else []
        rows = max(1, height - HEAD_LINES - FOOT_LINES)
        self._cells = arranged(places, width, rows, self._chosen)
        missing = len(places) - len(self._cells)
        head = f"{len(places):,} embeddings · two components, with {self._pass.share:.0%} of their variance"
        first = Line(fitted(head + (f" · no room for {missing}" if missing else ""), width), styles["other"])
        self._over = [self._picture(width, rows)]
        drawn = sorted((row, column, at) for at, (column, row) in self._cells.items())
        lines = [Line() for _ in range(rows)]
        for row, column, at in drawn:
            style = styles[group_of(places[at].text)]
            lines[row].pad(column).append(
                name_of(places[at].text), style + styles["chosen"] if at == self._chosen else style
            )
        return [first, *lines, Line(""), Line(fitted(nearest_in_words(places[self._chosen]), width))]

    def pictures(self) -> Sequence[Picture]:
        return self._over

    def _picture(self, width: int, height: int) -> Picture:
        """Return the lines between the tokens, whose cells stay free."""
        places, cells, chosen = self._pass.places, self._cells, self._chosen
        ground = self.background_colors[1]
        lines, strong = (ground + self.get_component_styles(f"map--{name}").color for name in ("other", "vowel"))
        near = {neighbour.text: neighbour.likeness for neighbour in places[chosen].near}

        def draw(cell: tuple[int, int]) -> Pixels:
            from tinygpt_tui.ui.pictures.pixels import blank, line

            pixels = blank(width, height, cell, ground)

            def middle(column: float, row: float, text: str) -> tuple[float, float]:
                return (column + cell_len(name_of(text)) / 2) * cell[0], (row + 0.5) * cell[1]

            start = middle(*cells[chosen], places[chosen].text)
            for at, place in enumerate(places):
                own = cell_len(name_of(place.text))
                exact = middle((place.x + 1) / 2 * (width - own), (1 - place.y) / 2 * (height - 1), place.text)
                end = middle(*cells[at], place.text) if at in cells else exact
                if at not in cells or dist(end, exact) > cell[1]:
                    line(pixels, end, exact, lines, cell[0] / 8, 0.6)
                    line(pixels, exact, exact, lines, cell[0] / 2)
                if place.text in near and at != chosen:
                    line(pixels, start, end, strong, cell[0] / 4, max(0.2, min(1.0, near[place.text])))
            pixels[..., 3] = 255 * (pixels[..., :3] != ground.rgb).any(axis=2)
            for at, (column, row) in cells.items():
                free = slice(column * cell[0], (column + cell_len(name_of(places[at].text))) * cell[0])
                pixels[row * cell[1] : (row + 1) * cell[1], free, 3] = 0
            return pixels

        return Picture(Region(0, HEAD_LINES, width, height), object(), draw)


def arranged(places: Sequence[TokenPlace], width: int, height: int, first: int = 0) -> dict[int, tuple[int, int]]:
    """Return a column and a line for each token that finds room near its place; that of `first` always does.

    No two touch: there is a free cell after each.
    """
    taken: set[tuple[int, int]] = set()
    found: dict[int, tuple[int, int]] = {}
    for at in sorted(range(len(places)), key=lambda at: at != first):
        place, cells = places[at], cell_len(name_of(places[at].text))
        column, row = round((place.x + 1) / 2 * (width - cells)), round((1 - place.y) / 2 * (height - 1))
        for right, down in NEARBY:
            x, y = column + right, row + down
            wanted = {(x + cell, y) for cell in range(-1, cells + 1)}
            if 0 <= x <= width - cells and 0 <= y < height and not wanted & taken:
                found[at] = (x, y)
                taken |= {(x + cell, y) for cell in range(cells)}
                break
    return found


def group_of(text: str) -> str:
    """Return the group whose style a token has: vowel, lower, capital or other."""
    if text.isalpha() and text.isupper():
        return "capital"
    if text.isalpha():
        return "vowel" if text in VOWELS else "lower"
    return "other"


def nearest_in_words(place: TokenPlace) -> str:
    """Return which tokens are nearest to one, and how near."""
    near = "   ".join(f"{name_of(other.text)} {other.likeness:.2f}" for other in place.near)
    return f"nearest to “{name_of(place.text)}”:   {near}"
