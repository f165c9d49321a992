"""Dots in cells: what several layers of dots become when a cell has room for one character and one colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.style import StyleType

from tinygpt_tui.charts.strokes import Mask

Bits: TypeAlias = NDArray[np.uint8]

# Dots of one braille character.
DOTS_WIDE, DOTS_HIGH = 2, 4
BRAILLE = 0x2800
# The bit of each dot of a braille character, by row and column: https://www.unicode.org/charts/PDF/U2800.pdf
BRAILLE_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
# A cell with this many dots of eight is an area: a thin line in it would not be seen.
DENSE = 6


@dataclass(frozen=True)
class Layer:
    """Dots of one curve by cell (rows, columns); `mark` stands for them where there is no braille.

    A layer that `yields` gives the colour of shared cells to the others: its curve is known by its marks.
    """

    bits: Bits
    style: StyleType
    mark: str
    yields: bool = False


@dataclass
class Canvas:
    """The cells of a plot, drawn from back to front."""

    rows: int
    columns: int
    ascii: bool
    bits: Bits = field(init=False)
    owner: NDArray[np.int64] = field(init=False)
    layers: list[Layer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bits = np.zeros((self.rows, self.columns), dtype=np.uint8)
        self.owner = np.full((self.rows, self.columns), -1, dtype=np.int64)

    @property
    def dots_wide(self) -> int:
        """Dots of one cell from left to right."""
        return 1 if self.ascii else DOTS_WIDE

    @property
    def dots_high(self) -> int:
        """Dots of one cell from top to bottom."""
        return 1 if self.ascii else DOTS_HIGH

    def pack(self, mask: Mask) -> Bits:
        """Dots (rows * dots_high, columns * dots_wide) to cells (rows, columns)."""
        if self.ascii:
            return mask.astype(np.uint8)
        cells = mask.reshape(self.rows, DOTS_HIGH, self.columns, DOTS_WIDE)
        packed = np.zeros((self.rows, self.columns), dtype=np.uint8)
        for row in range(DOTS_HIGH):
            for column in range(DOTS_WIDE):
                packed |= cells[:, row, :, column] * BRAILLE_BITS[row, column]
        return packed

    def back(self, mask: Mask, style: StyleType, mark: str) -> None:
        """Draw something that what follows may hide, such as a grid."""
        layer = Layer(self.pack(mask), style, mark)
        drawn = layer.bits > 0
        self.bits = np.where(drawn, layer.bits, self.bits)
        self.owner[drawn] = len(self.layers)
        self.layers.append(layer)

    def front(self, curves: list[Layer]) -> None:
        """Draw the curves together, so that where they share cells each can still be followed.

        A shared cell has the dots of all its curves, and its colour goes from curve to curve along the columns: curves
        that run on top of each other look like a rope of both colours. An area yields to a thin line within it.
        """
        if not curves:
            return
        bits = np.stack([curve.bits for curve in curves])  # (curves, rows, columns)
        present = bits > 0
        if len(curves) > 1:
            dense = np.bitwise_count(bits) >= DENSE
            present &= ~(dense & (present & ~dense).any(axis=0))
        drawn = present.any(axis=0)
        self.bits = np.where(drawn, np.bitwise_or.reduce(np.where(present, bits, 0), axis=0), self.bits)
        firm = present[[not curve.yields for curve in curves]].any(axis=0)
        for number, curve in enumerate(curves):
            if curve.yields:
                present[number] &= ~firm
        turn = np.arange(self.columns) % np.maximum(present.sum(axis=0), 1)
        owner = np.argmax(present & (np.cumsum(present, axis=0) - 1 == turn), axis=0)
        self.owner = np.where(drawn, owner + len(self.layers), self.owner)
        self.layers += curves

    def characters(self) -> NDArray[np.uint32]:
        """The code point of each cell (rows, columns)."""
        if self.ascii:
            return np.array([*(ord(layer.mark) for layer in self.layers), 32], dtype=np.uint32)[self.owner]
        return np.where(self.bits > 0, BRAILLE + self.bits.astype(np.uint32), 32).astype(np.uint32)
