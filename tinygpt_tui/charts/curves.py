"""A series made ready to draw: its points cleaned and smoothed, and the sign that it is known by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tinygpt_tui.charts.data import Floats, Kind, Series, clean
from tinygpt_tui.charts.scale import Scale
from tinygpt_tui.charts.smoothing import smoothed
from tinygpt_tui.charts.strokes import Integers, Mask, columns, stroke, within

# Told apart without colour: what stands for a curve beside its name, and for its points.
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIGNS: dict[Kind, str] = {"line": "━", "points": "●■▲▼", "dashes": "╍", "ghost": LETTERS}
ASCII_SIGNS: dict[Kind, str] = {"line": "*#%@", "points": "o+s^", "dashes": "=~", "ghost": LETTERS}
SMOOTHED: frozenset[Kind] = frozenset({"line", "dashes"})
RAW_MARK = "."
JOIN_MARK = ":"
# Marks closer than this many cells would hide the curve that they sit on.
MARK_SPACING = 4
# Cells from one letter of a ghost to its next, and from the first letter of one ghost to that of the next.
LETTER_SPACING, LETTER_SHIFT = 18, 5


@dataclass(frozen=True)
class Curve:
    """Points (N,), N > 0: `ys` as measured, `line` as smoothed (the same where nothing is)."""

    series: Series
    sign: str
    xs: Floats
    ys: Floats
    line: Floats
    smooth: bool

    def seen(self, x: Scale, log_y: bool) -> Curve:
        """The part between the ends of the x axis, which may have no points."""
        xs, ys = within(self.xs, self.ys, x, log_y)
        return replace(self, xs=xs, ys=ys, line=within(self.xs, self.line, x, log_y)[1] if self.smooth else ys)

    def raw_mask(self, x: Scale, y: Scale) -> Mask:
        """The measured values behind a smoothed line: half of the dots, which is dim in any terminal."""
        mask = stroke(columns(self.xs, self.ys, x), x, y)
        mask[0::2, 1::2] = False
        mask[1::2, 0::2] = False
        return mask

    def mask(self, x: Scale, y: Scale, ascii: bool, thick: bool = False) -> Mask:
        """The dots (y.dots, x.dots) of the curve itself; `thick` is two dots."""
        found = columns(self.xs, self.line, x)
        mask = stroke(found.means if self.smooth else found, x, y)
        if thick:
            mask[:-1] |= mask[1:]
        if self.series.kind == "dashes":
            mask[:, np.arange(x.dots) % (4 if ascii else 8) >= (3 if ascii else 5)] = False
        elif self.series.kind == "points" and not ascii:
            _dot(mask)
        elif self.series.kind == "ghost":
            if ascii:
                mask[:] = False  # its letters are all there is
            else:
                _dot(mask, every=4)
        return mask

    def letters(self, x: Scale, cell: int) -> Floats:
        """The xs (K,) at which a ghost's letter is drawn: every few cells of `cell` dots, at least once."""
        ends = np.rint(x.place(self.xs[[0, -1]])).astype(np.int64) // cell
        shift = LETTERS.index(self.sign) * LETTER_SHIFT % LETTER_SPACING if self.sign in LETTERS else 0
        first = ends[0] + shift if ends[0] + shift <= ends[1] else (ends[0] + ends[1]) // 2
        cells = np.arange(first, ends[1] + 1, LETTER_SPACING)
        places = np.clip((cells + 0.5) * cell, *np.rint(x.place(self.xs[[0, -1]])))
        return np.interp(places, x.place(self.xs), self.xs)


def prepare(series: Iterable[Series], log_x: bool, log_y: bool, smoothing: float, ascii: bool) -> list[Curve]:
    """The series that have something to draw; points are not smoothed."""
    used: Counter[Kind] = Counter()
    curves = []
    for one in series:
        signs = (ASCII_SIGNS if ascii else SIGNS)[one.kind]
        sign = signs[used[one.kind] % len(signs)]
        used[one.kind] += 1
        xs, ys = clean(one, log_x, log_y)
        if len(xs):
            smooth = smoothing > 0 and one.kind in SMOOTHED and len(xs) > 1
            line = smoothed(ys, smoothing) if smooth else ys
            curves.append(Curve(one, sign, xs, ys, line, smooth))
    return curves


def marks(cells: Integers) -> Integers:
    """Which of the points in these columns of cells (N,), from left to right, get a mark: not too close, ends first."""
    if not len(cells):
        return cells
    changes = np.flatnonzero(np.append(cells[1:] != cells[:-1], True))
    chosen = [int(changes[-1])]
    for index in changes[-2::-1]:
        if cells[chosen[-1]] - cells[index] >= MARK_SPACING:
            chosen.append(int(index))
    return np.array(chosen[::-1], dtype=np.int64)


def _dot(mask: Mask, every: int = 2) -> None:
    """Leave one dot of `every`, a power of two, of a thin line, whether it runs along or up."""
    mask[:, np.arange(mask.shape[1]) % every > 0] = False
    # Counted from the top of each column, so that a level part keeps its only dot.
    depth = np.cumsum(mask, axis=0, dtype=np.uint8)  # only its last bits count
    mask &= depth & (every - 1) == 1
