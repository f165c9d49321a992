"""The plot of a chart in pixels, for terminals that draw pictures: the words around it stay characters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.color import ColorType
from rich.style import Style, StyleType

from tinygpt_tui.charts.chart import Drawn, LossChart, draw
from tinygpt_tui.charts.curves import Curve
from tinygpt_tui.charts.data import BEST_STYLE, GRID_STYLE
from tinygpt_tui.charts.scale import Scale
from tinygpt_tui.charts.strokes import Mask, columns, stroke

Colour: TypeAlias = tuple[int, int, int]
Image: TypeAlias = NDArray[np.float64]  # (H, W, 3)

FINER = 2  # dots of a pixel in each direction: edges become smooth
LINE, FAINT_LINE, DOT, BEST = 1.6, 0.9, 2.6, 4.5  # pixels of a cell that is 8 wide
RAW_STRENGTH, GRID_STRENGTH, GHOST_STRENGTH = 0.35, 0.35, 0.8
DASH, DOTTED = (7, 5), (2, 2)  # pixels that are drawn, and that are not


class PlotPixels(NamedTuple):
    """Pixels with opacity (H, W, 4) over cells: `rows` x `columns` of them, from (`left`, `top`) on."""

    left: int
    top: int
    columns: int
    rows: int
    draw: Callable[[tuple[int, int]], NDArray[np.uint8]]


def plot_pixels(chart: LossChart, width: int, height: int, ground: Colour, ink: Colour) -> PlotPixels | None:
    """Return the plot of a chart in (width, height) cells; None where it has none.

    `draw` makes it for cells of (width, height) pixels. Cells with words in them stay free.
    """
    drawn = draw(chart, width, height)
    if drawn is None:
        return None
    frame = drawn.frame

    def pixels(cell: tuple[int, int]) -> NDArray[np.uint8]:
        return _PixelPlot(chart, drawn, cell, ground, ink).pixels()

    return PlotPixels(frame.left, frame.top, frame.columns, frame.rows, pixels)


class _PixelPlot:
    """Draws from back to front, as Plot does with characters."""

    def __init__(self, chart: LossChart, drawn: Drawn, cell: tuple[int, int], ground: Colour, ink: Colour) -> None:
        self._chart, self._drawn, self._cell, self._ink = chart, drawn, cell, ink
        self._scale = max(1.0, cell[0] / 8)  # of lines: a screen of small pixels has wider cells
        high, wide = drawn.frame.rows * cell[1], drawn.frame.columns * cell[0]
        self._x, self._y = replace(drawn.x, dots=wide * FINER), replace(drawn.y, dots=high * FINER)
        self._image: Image = np.full((high, wide, 3), ground, dtype=np.float64)

    def pixels(self) -> NDArray[np.uint8]:
        chart, drawn = self._chart, self._drawn
        for tick in drawn.heights:
            self._level(tick.value, GRID_STYLE, DOTTED, GRID_STRENGTH)
        for curve in drawn.curves:
            if curve.smooth:
                mask = stroke(columns(curve.xs, curve.ys, self._x), self._x, self._y)
                self._blend(_shrunk(mask), curve.series.style, RAW_STRENGTH)
        for level in drawn.levels:
            self._level(level.y, level.style, DASH, 1.0)
        for curve in drawn.curves:
            self._curve(curve)
        if drawn.curves and chart.cursor is not None and np.isfinite(chart.cursor):
            self._cursor(min(max(chart.cursor, drawn.x.low), drawn.x.high), drawn.curves[0])
        if chart.best and all(np.isfinite(chart.best)):
            step, value = chart.best
            if drawn.x.holds(step) and drawn.y.holds(value):
                self._spot(step, value, BEST, BEST_STYLE, angular=True)
        found = np.empty((*self._image.shape[:2], 4), dtype=np.uint8)
        found[..., :3] = np.rint(self._image)
        words = drawn.words.repeat(self._cell[1], axis=0).repeat(self._cell[0], axis=1)
        found[..., 3] = np.where(words, 0, 255)
        return found

    def _curve(self, curve: Curve) -> None:
        found = columns(curve.xs, curve.line, self._x)
        mask = stroke(found.means if curve.smooth else found, self._x, self._y)
        kind = curve.series.kind
        is_faint = kind in ("ghost", "points")
        mask = _thick(mask, round((FAINT_LINE if is_faint else LINE) * self._scale * FINER))
        if kind in ("dashes", "ghost", "points"):
            on, off = DASH if kind == "dashes" else DOTTED
            mask[:, np.arange(mask.shape[1]) % ((on + off) * FINER) >= on * FINER] = False
        self._blend(_shrunk(mask), curve.series.style, GHOST_STRENGTH if kind == "ghost" else 1.0)
        if kind == "points" or len(curve.xs) == 1:
            places = np.rint(self._x.place(curve.xs)).astype(np.int64) // (FINER * self._cell[0])
            last = np.flatnonzero(np.append(places[1:] != places[:-1], True))  # one in each column of cells
            for x, y in zip(curve.xs[last].tolist(), curve.ys[last].tolist(), strict=True):
                self._spot(x, y, DOT, curve.series.style)

    def _level(self, value: float, style: StyleType, dash: tuple[int, int], strength: float) -> None:
        row = (self._y.dots - 1 - self._y.dot(value)) // FINER
        if 0 <= row < len(self._image):
            on = np.arange(self._image.shape[1]) % sum(dash) < dash[0]
            self._image[row, on] += strength * (self._colour(style) - self._image[row, on])

    def _cursor(self, x: float, curve: Curve) -> None:
        column = min(self._x.dot(x) // FINER, self._image.shape[1] - 1)
        style = self._chart.cursor_style
        self._image[:, column : column + max(1, round(self._scale))] = self._colour(style)
        y = float(np.interp(x, curve.xs, curve.line))
        if self._drawn.y.holds(y):
            self._spot(x, y, BEST, style)

    def _spot(self, x: float, y: float, radius: float, style: StyleType, *, angular: bool = False) -> None:
        """Draw a disc, or a square on its corner, around a place."""
        size = radius * self._scale
        column, row = _pixel(self._x, x), len(self._image) - 1 - _pixel(self._y, y)
        reach = int(size) + 2
        top, left = max(0, int(row) - reach), max(0, int(column) - reach)
        part = self._image[top : int(row) + reach + 1, left : int(column) + reach + 1]
        down = np.abs(np.arange(part.shape[0])[:, None] + top - row)
        aside = np.abs(np.arange(part.shape[1])[None] + left - column)
        distance = (down + aside) / 1.25 if angular else np.hypot(down, aside)
        share = np.clip(size + 0.5 - distance, 0, 1)[..., None]
        part += share * (self._colour(style) - part)

    def _blend(self, dots: NDArray[np.uint8], style: StyleType, strength: float) -> None:
        places = np.nonzero(dots)  # few of the pixels
        share = dots[places][:, None] * (strength / FINER**2)
        self._image[places] += share * (self._colour(style) - self._image[places])

    def _colour(self, style: StyleType) -> NDArray[np.float64]:
        colour = (style if isinstance(style, Style) else Style.parse(style)).color
        if colour is None or colour.type is ColorType.DEFAULT:
            return np.array(self._ink, dtype=np.float64)
        return np.array(colour.get_truecolor(), dtype=np.float64)


def _pixel(scale: Scale, value: float) -> float:
    return float(scale.place(np.array([value]))[0]) / FINER


def _thick(mask: Mask, dots: int) -> Mask:
    """Return a line that is `dots` thick in both directions."""
    found = mask.copy()
    for by in range(1, dots):
        half = by // 2 + by % 2
        if by % 2:
            found[half:] |= mask[:-half]
            found[:, half:] |= mask[:, :-half]
        else:
            found[:-half] |= mask[half:]
            found[:, :-half] |= mask[:, half:]
    return found


def _shrunk(mask: Mask) -> NDArray[np.uint8]:
    """Return how many of the dots of each pixel (H, W) are set; FINER is 2."""
    dots = mask.view(np.uint8)
    return dots[::2, ::2] + dots[1::2, ::2] + dots[::2, 1::2] + dots[1::2, 1::2]
