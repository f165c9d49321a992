"""The inside of a chart: grid, levels, curves, marks and notes, within the axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.style import Style, StyleType

from tinygpt_tui.charts.canvas import Canvas, Layer
from tinygpt_tui.charts.curves import JOIN_MARK, RAW_MARK, SIGNS, Curve, marks
from tinygpt_tui.charts.data import BEST_STYLE, GRID_STYLE, Level
from tinygpt_tui.charts.labels import free_place
from tinygpt_tui.charts.scale import Scale
from tinygpt_tui.charts.sheet import Sheet, plain
from tinygpt_tui.charts.ticks import Tick

GRID_ROWS = 10
# What it costs to cover a cell with words.
RAW_COST, LEVEL_COST, CURVE_COST, MARK_COST, NOTE_COST = 1.0, 0.1, 4.0, 20.0, 1000.0


class Plot:
    """A rectangle of cells at (`top`, `left`) of a sheet, drawn from back to front in the order of the methods."""

    def __init__(self, sheet: Sheet, top: int, left: int, x: Scale, y: Scale, canvas: Canvas) -> None:
        self.sheet, self.top, self.left = sheet, top, left
        self.x, self.y, self.canvas = x, y, canvas
        self.cost: NDArray[np.float64] = np.zeros((canvas.rows, canvas.columns))
        self.words: NDArray[np.bool_] = np.zeros((canvas.rows, canvas.columns), dtype=np.bool_)

    def row(self, value: float) -> int:
        """The row of cells, from the top of the plot, that a y falls in."""
        return (self.y.dots - 1 - self.y.dot(value)) // self.canvas.dots_high

    def column(self, value: float) -> int:
        """The column of cells, from the left of the plot, that an x falls in."""
        return self.x.dot(value) // self.canvas.dots_wide

    def grid(self, ticks: Sequence[Tick]) -> None:
        """Faint dots at the height of each tick; ASCII has nothing that faint, and a low plot no room."""
        if self.canvas.ascii or self.canvas.rows < GRID_ROWS:
            return
        mask = self._empty()
        for tick in ticks:
            mask[self.y.dots - 1 - self.y.dot(tick.value), ::4] = True
        self.canvas.back(mask, GRID_STYLE, " ")

    def raw(self, curves: Sequence[Curve]) -> None:
        """What was measured, behind the curves that are smoothed."""
        for curve in curves:
            if curve.smooth:
                mask = curve.raw_mask(self.x, self.y)
                self.canvas.back(mask, _dim(curve.series.style), RAW_MARK)
                self.cost = np.maximum(self.cost, (self.canvas.pack(mask) > 0) * RAW_COST)

    def level_lines(self, levels: Sequence[Level]) -> None:
        """Dashed lines from side to side."""
        on, period = (1, 2) if self.canvas.ascii else (3, 6)
        for level in levels:
            mask = self._empty()
            mask[self.y.dots - 1 - self.y.dot(level.y), np.arange(self.x.dots) % period < on] = True
            self.canvas.back(mask, level.style, "-")
            self.cost[self.row(level.y)] = np.maximum(self.cost[self.row(level.y)], LEVEL_COST)

    def curves(self, curves: Sequence[Curve]) -> None:
        """All curves, then all cells so far onto the sheet, then the marks on top."""
        layers = []
        # A smoothed curve stands out from its raw values; several would rather run into each other.
        thick = sum(curve.smooth for curve in curves) == 1 and not self.canvas.ascii
        for curve in curves:
            bits = self.canvas.pack(curve.mask(self.x, self.y, self.canvas.ascii, thick and curve.smooth))
            marked = curve.series.kind in ("points", "ghost")
            layers.append(Layer(bits, curve.series.style, JOIN_MARK if marked else curve.sign, yields=marked))
            self.cost = np.maximum(self.cost, (bits > 0) * CURVE_COST)
        self.canvas.front(layers)
        numbers = np.array([*(self.sheet.style(layer.style) for layer in self.canvas.layers), 0])
        self.sheet.paste(self.top, self.left, self.canvas.characters(), numbers[self.canvas.owner])
        for curve in curves:
            if curve.series.kind == "ghost":
                self._letters(curve)
            elif curve.series.kind == "points" or len(curve.xs) == 1:
                self._marks(curve)

    def cursor(self, x: float, style: StyleType, curve: Curve) -> None:
        """A line from top to bottom, behind what the curves have drawn, and a dot where it meets `curve`."""
        column = self.column(x)
        line = "|" if self.canvas.ascii else "│"
        for row in range(self.canvas.rows):
            if self.canvas.owner[row, column] < 0 or not row:
                self.sheet.write(self.top + row, self.left + column, line, style)
            self.cost[row, column] = max(self.cost[row, column], CURVE_COST)
        self.sheet.write(self.top, self.left + column, "v" if self.canvas.ascii else "▼", style)
        y = float(np.interp(x, curve.xs, curve.line))
        if self.y.holds(y):
            self._mark(self.row(y), column, "O" if self.canvas.ascii else "◉", style)

    def best(self, step: float, value: float, text: str) -> None:
        """A mark on the best point, and a note of it where it hides the least."""
        if not (self.x.holds(step) and self.y.holds(value)):
            return
        row, column = self.row(value), self.column(step)
        self._mark(row, column, "x" if self.canvas.ascii else "◆", BEST_STYLE)
        self.note(text, row, column, BEST_STYLE, reach=4, limit=4 * CURVE_COST)

    def note(self, text: str, row: int, column: int, style: StyleType, reach: int, limit: float) -> bool:
        """Write near a cell; False where all places within `reach` rows hide too much."""
        text = f" {plain(text, self.canvas.ascii)} "
        size = cell_len(text)
        place = free_place(self.cost, size, row, column, reach, limit)
        if place is None:
            return False
        at, start = place
        self.sheet.write(self.top + at, self.left + start, text, style)
        self.cost[at, start : start + size] = NOTE_COST
        self.words[at, start : start + size] = True
        return True

    def _marks(self, curve: Curve) -> None:
        rows = (self.y.dots - 1 - np.rint(self.y.place(curve.ys)).astype(np.int64)) // self.canvas.dots_high
        cells = np.rint(self.x.place(curve.xs)).astype(np.int64) // self.canvas.dots_wide
        sign = curve.sign if curve.series.kind == "points" or self.canvas.ascii else SIGNS["points"][0]
        for index in marks(cells):
            if 0 <= rows[index] < self.canvas.rows:
                self._mark(int(rows[index]), int(cells[index]), sign, curve.series.style)

    def _letters(self, curve: Curve) -> None:
        xs = curve.letters(self.x, self.canvas.dots_wide)
        # Between two points a curve is straight on the screen, whatever the scales are.
        ys = np.interp(self.x.unit(xs), self.x.unit(curve.xs), self.y.place(curve.line))
        for x, y in zip(xs, ys, strict=True):
            if 0 <= y < self.y.dots:
                row = (self.y.dots - 1 - int(np.rint(y))) // self.canvas.dots_high
                self._mark(row, self.column(float(x)), curve.sign, curve.series.style)
                self.words[row, self.column(float(x))] = True

    def _mark(self, row: int, column: int, sign: str, style: StyleType) -> None:
        self.sheet.write(self.top + row, self.left + column, sign, style)
        self.cost[row, column] = MARK_COST

    def _empty(self) -> NDArray[np.bool_]:
        return np.zeros((self.y.dots, self.x.dots), dtype=np.bool_)


def _dim(style: StyleType) -> StyleType:
    return style + Style(dim=True) if isinstance(style, Style) else f"dim {style}".strip()
