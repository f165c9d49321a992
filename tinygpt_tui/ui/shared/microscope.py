"""The token microscope: how likely a character was, and what the alternatives were, as bars.

Each alternative has two bars: the model's own probability, and the one that the sampling settings make of it. What they
exclude is grey. While text is written slowly, the same panel shows each draw.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.surprise_index import CharInfo, surprise_bits
from tinygpt_tui.ui.shared.wrapping import shown
from tinygpt_tui.words import bar, shortened

MARKS = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})  # for invisible characters
KEYS = "1234567890"  # of the alternatives, in their order
NAME_CELLS = 14  # of an alternative's name, at most
TALL = 12  # lines, from which the alternatives are in one column
GAP = 3  # cells between two columns
BOTH_PERCENTS = 26  # cells from which both bars have a number
PERCENT = 7  # cells of one, with a space before it
EXCLUDED = "–"

Part = Literal["name", "text", "muted", "bar", "drawn", "actual", "picked"]


class Piece(NamedTuple):
    """A part of a line; `place` is that of the alternative a click on it means."""

    text: str
    part: Part
    place: int | None = None
    is_bar: bool = False


class Microscope(Widget):
    """Draws a `CharInfo`; one of its alternatives can be selected, to continue from there."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {
        "microscope--name",
        "microscope--text",
        "microscope--muted",
        "microscope--bar",
        "microscope--drawn",
        "microscope--actual",
        "microscope--picked",
    }
    DEFAULT_CSS = """
    Microscope {
        height: 8;  /* InspectableOutput makes it taller */
        padding: 0 1;
        border-top: solid $border;
        border-title-color: $accent;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        background: $background;
        & .microscope--name { color: $foreground; text-style: bold; }
        & .microscope--text { color: $foreground; }
        & .microscope--muted { color: $text-muted; }
        & .microscope--bar { color: $primary; }
        & .microscope--drawn { color: $success; }
        & .microscope--actual { color: $accent; text-style: bold; }
        & .microscope--picked { text-style: reverse; }
    }
    """

    class Fork(Message):
        """Replace the text from `offset` with `text` and let the model continue from there."""

        microscope: Microscope
        offset: int
        text: str

        @property
        def control(self) -> Microscope:
            return self.microscope

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "microscope"
        self._look: CharInfo | None = None
        self._text = ""
        self._hint: str | None = None
        self._picked: int | None = None

    @property
    def picked(self) -> int | None:
        """The place of the selected alternative, from 0."""
        return self._picked

    def show_char(self, look: CharInfo | None, text: str = "", hint: str | None = None) -> None:
        """Show a character, or none; `text` is the text of its tokens, or the character itself.

        `hint` is the last line while no alternative is selected; by default how to select one.
        """
        if self._look is None or look is None or look.offset != self._look.offset:
            self._picked = None
        self._look, self._text, self._hint = look, text, hint
        self.refresh()

    def pick(self, place: int | None) -> None:
        """Select the alternative at `place`, counted from 0, if text can continue from it; None selects none."""
        if place is None or (self._look is not None and self._look.other(place) is not None):
            self._picked = place
            self.refresh()
        else:
            self.app.bell()

    def pick_next(self, direction: int) -> None:
        """Select the alternative below (1) or above (-1); wraps around."""
        places = self._places()
        if not places:
            self.app.bell()
        elif self._picked is None:
            self.pick(places[0 if direction > 0 else -1])
        else:
            self.pick(places[(places.index(self._picked) + direction) % len(places)])

    def fork(self) -> None:
        """Request text that continues from the selected alternative."""
        other = self._look.other(self._picked) if self._look is not None and self._picked is not None else None
        if other is None or self._look is None:
            self.app.bell()
        else:
            self.post_message(self.Fork(self, self._look.start, other))

    def on_click(self, event: events.Click) -> None:
        """A click selects an alternative; a second click on it continues from there."""
        place = event.style.meta.get("place")
        if place is None:
            return
        if place == self._picked:
            self.fork()
        else:
            self.pick(place)

    def render_line(self, y: int) -> Strip:
        width, base = self.content_size.width, self.rich_style
        lines = panel(self._look, self._text, self._picked, width, self.content_size.height, self._hint)
        if y >= len(lines):
            return Strip.blank(width, base)
        segments = [Segment(piece.text, base + self._style(piece)) for piece in lines[y]]
        return Strip(segments).crop_extend(0, width, base)

    def _style(self, piece: Piece) -> Style:
        style = self.get_component_rich_style(f"microscope--{piece.part}")
        if piece.place is None:
            return style
        if piece.place == self._picked and not piece.is_bar:  # a bar reversed would be its opposite
            style += self.get_component_rich_style("microscope--picked", partial=True)
        return style + Style.from_meta({"place": piece.place})

    def _places(self) -> list[int]:
        look = self._look
        return [] if look is None else [place for place in range(len(KEYS)) if look.other(place) is not None]


def name_of(text: str) -> str:
    """Return a text with marks for invisible characters: `␣` a space, `↵` a newline, `⇥` a tab."""
    return shown(text.translate(MARKS))


def percent(probability: float) -> str:
    """Return a probability in at most six characters: `41.2%`, `0.12%`, `<0.01%`."""
    if probability >= 0.09995:
        return f"{probability:.1%}"
    return f"{probability:.2%}" if probability >= 0.00005 else "<0.01%"


def panel(
    look: CharInfo | None, text: str, picked: int | None, width: int, height: int, hint: str | None = None
) -> list[list[Piece]]:
    """Return the panel's lines: the numbers, the alternatives in one or two columns, and the next step."""
    if look is None:
        return [[Piece(shortened(hint, max(1, width)), "muted")]] if hint else []
    name = Piece(shortened(name_of(text), NAME_CELLS * 2), "name")
    if look.state != "known":
        return [[name, Piece("  " + _why_not(look), "muted")]]
    tall = height >= TALL
    rows = _rows(look, width, columns=1 if tall else 2)
    lines = [[name, Piece("  ", "text"), Piece(_numbers(look, width - cell_len(name.text) - 2), "text")]]
    if tall:
        lines += [[], *rows, []]
    else:
        lines += rows
    next_step = hint if hint is not None and picked is None else _what_next(look, picked)
    return [*lines, [Piece(shortened(next_step, max(1, width)), "muted")]]


def _why_not(look: CharInfo) -> str:
    match look.state:
        case "waiting":
            return "…"
        case "first":
            return "first character: there is no context to predict it from"
        case "unknown":
            return "this character is not in the vocabulary; the model skips it"
    return look.problem


def _numbers(look: CharInfo, width: int) -> str:
    """Return the numbers in the fullest form that fits."""
    chance = look.tokens[0].chance
    assert chance is not None
    share, bits = percent(look.probability), surprise_bits(look.probability)
    entropy = chance.entropy / math.log(2)
    # A character in several tokens: the product of all, and the rank and the alternatives of the first.
    many = f"in {len(look.tokens)} tokens  " if len(look.tokens) > 1 else ""
    if len(look.tokens) == 1 and look.end - look.start > 1:
        many = f"{look.end - look.start} characters  "
    forms = (
        f"probability {share}   {many}rank {chance.rank}   surprise {bits:.1f} bits   entropy {entropy:.1f} bits",
        f"{share}  {many}rank {chance.rank}  surprise {bits:.1f} bits  entropy {entropy:.1f} bits",
        f"{share}  {many}rank {chance.rank}  {bits:.1f} of {entropy:.1f} bits",
        f"{share}  rank {chance.rank}  {bits:.1f} bits",
    )
    return next((form for form in forms if cell_len(form) <= width), share)


def _rows(look: CharInfo, width: int, columns: int) -> list[list[Piece]]:
    """Return the alternatives as lines, most likely first, down each column."""
    candidates = look.candidates[: len(KEYS)]
    names = [name_of(candidate.text) for candidate in candidates]
    name_cells = min(max((cell_len(name) for name in names), default=1), NAME_CELLS)
    cells = (width - GAP * (columns - 1)) // columns
    entries = []
    for place, (candidate, name) in enumerate(zip(candidates, names, strict=True)):
        actual = candidate.id == look.tokens[0].id
        drawn = look.drawn[place] if look.drawn else None
        excluded = drawn == 0
        entries.append(
            [
                Piece(f"{KEYS[place]} {'▸' if actual else ' '} ", "actual" if actual else "muted", place),
                Piece(
                    set_cell_size(shortened(name, name_cells), name_cells),
                    "actual" if actual else "muted" if excluded else "name",
                    place,
                ),
                *_bars(place, candidate.probability, drawn, actual, cells - name_cells - len("1 ▸ ")),
            ]
        )
    rows = math.ceil(len(KEYS) / columns)
    gap = [Piece(" " * GAP, "text")]
    lines: list[list[Piece]] = []
    for row in range(rows):
        line: list[Piece] = []
        for column, entry in enumerate(entries[row::rows]):
            line += [*(gap if column else []), *entry]
        lines.append(line)
    return lines


def _bars(place: int, own: float, drawn: float | None, actual: bool, width: int) -> list[Piece]:
    """Return the bar of the model's own probability and, if it is known, that of the draw; in `width` cells."""

    def filled(share: float, room: int, part: Part) -> Piece:
        cells = bar(share, room)
        return Piece(f" {cells}{' ' * (room - cell_len(cells))}", part, place, is_bar=True)

    if drawn is None:
        return [
            filled(own, max(1, width - 1 - PERCENT), "actual" if actual else "bar"),
            Piece(f" {percent(own):>6}", "text", place),
        ]
    both = width >= BOTH_PERCENTS
    room = max(1, (width - 2 - PERCENT * (1 + both)) // 2)
    excluded = drawn == 0
    return [
        filled(own, room, "muted" if excluded else "bar"),
        *([Piece(f" {percent(own):>6}", "muted" if excluded else "text", place)] if both else []),
        filled(drawn, room, "actual" if actual else "drawn"),
        Piece(f" {EXCLUDED if excluded else percent(drawn):>6}", "muted" if excluded else "text", place),
    ]


def _what_next(look: CharInfo, picked: int | None) -> str:
    other = None if picked is None else look.other(picked)
    if other is not None:
        return f"Enter continues from here with {name_of(other)}"
    if not look.candidates:
        return ""
    if not any(look.other(place) is not None for place in range(len(KEYS))):
        return "a part of a character: text cannot continue from here"
    return "Tab or 1–0 selects another character"
