"""Numbers as coloured cells; without colours as characters: `░▒▓█` above zero, `-~=≡` below it."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.style import Style
from textual.color import Color

from tinygpt_tui.events.tracing import Picture

ABOVE, BELOW = " ░▒▓█", " -~=≡"
SOFTER = 0.7  # exponent of an attention weight that is drawn: among many tokens all weights are small
EXPONENT = 0.7  # of a number's share of the largest, so that small numbers are visible, too
ROOM_FOR_SWATCHES = 56  # cells of a legend's line from which its colours are two cells wide
STEPS = 24  # strengths of a colour; a style for each cell would be slow

SWATCHES = (1.0, 0.6, 0.3, 0.1)
NORMAL, BOLD = Style.null(), Style(bold=True)

Table = list[tuple[float, ...]]


class Palette(NamedTuple):
    """The colours below and above zero, and the background; `plain` has none."""

    below: Color
    above: Color
    ground: Color
    plain: bool

    def cell(self, value: float, largest: float, width: int, *, marked: bool = False) -> tuple[str, Style]:
        """Return the characters and style of one number, relative to the largest."""
        strength = min(1.0, abs(value) / largest) ** EXPONENT if largest > 0 else 0.0
        if self.plain:
            ramp = BELOW if value < 0 else ABOVE
            level = min(len(ramp) - 1, math.ceil(strength * len(ramp) - 0.5)) if strength else 0
            return ramp[max(0, level)] * width, BOLD if marked else NORMAL
        return " " * width, _mixed(self.ground, self.below if value < 0 else self.above, round(strength * STEPS))


@lru_cache(maxsize=1024)
def _mixed(ground: Color, colour: Color, step: int) -> Style:
    return Style(bgcolor=ground.blend(colour, step / STEPS).rich_color)


def table_of(picture: Picture) -> Table:
    """Return a picture's numbers, row by row."""
    numbers = struct.unpack(f"<{picture.rows * picture.columns}e", picture.values)
    return [numbers[row * picture.columns : (row + 1) * picture.columns] for row in range(picture.rows)]


def narrowed(row: Sequence[float], columns: int) -> list[float]:
    """Return a row in at most that many columns: of neighbours the strongest.

    >>> narrowed((1.0, -3.0, 2.0, 0.5), 2)
    [-3.0, 2.0]
    """
    each = math.ceil(len(row) / max(1, columns)) or 1
    return [max(row[at : at + each], key=abs) for at in range(0, len(row), each)]


def largest_of(tables: Iterable[Table]) -> float:
    """Return the largest size of a number in tables."""
    return max((abs(number) for table in tables for row in table for number in row), default=0.0)


def legend(palette: Palette, least: float, largest: float, width: int, words: Style) -> list[tuple[str, Style]]:
    """Return the legend of the colours as pieces of a line of that width; `words` is the style of numbers."""
    swatch = 2 if width >= ROOM_FOR_SWATCHES else 1
    below = [palette.cell(-share * largest, largest, swatch) for share in SWATCHES]
    above = [palette.cell(share * largest, largest, swatch) for share in reversed(SWATCHES)]
    left = [(f"{number(-largest)} ", words), *below] if least < 0 else []
    return [*left, (" 0 ", words), *above, (f" {number(largest)}", words)]


def number(value: float) -> str:
    """Return a number in few characters, with a real minus.

    >>> number(-0.123), number(12.34), number(1234.5), number(-0.001)
    ('−0.12', '12.3', '1234', '0.00')
    """
    size = abs(value)
    text = (
        f"{size:.2f}" if size < 10 else f"{size:.1f}" if size < 100 else f"{size:.0f}" if size < 1e5 else f"{size:.0e}"
    )
    return ("−" if value < 0 and text.strip("0.") else "") + text
