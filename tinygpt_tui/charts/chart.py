"""A chart of curves over steps, drawn alike in the app, in a plain terminal and in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.style import StyleType

from tinygpt_tui.charts.axes import draw_gutter, draw_heading, draw_x_axis, draw_y_axis
from tinygpt_tui.charts.canvas import Canvas
from tinygpt_tui.charts.curves import Curve, prepare
from tinygpt_tui.charts.data import AXIS_STYLE, CURSOR_STYLE, LARGEST, Level, Series, clean
from tinygpt_tui.charts.labels import Label
from tinygpt_tui.charts.layout import Frame, lay_out, y_ticks
from tinygpt_tui.charts.numbers import value_text
from tinygpt_tui.charts.plot import CURVE_COST, Plot
from tinygpt_tui.charts.scale import Scale, x_range, y_range
from tinygpt_tui.charts.sheet import Sheet, plain, shortened
from tinygpt_tui.charts.strokes import Mask
from tinygpt_tui.charts.ticks import Tick, ticks
from tinygpt_tui.charts.view import Extent, View

EVERYTHING = View()
X_GAP = 4


@dataclass(frozen=True, eq=False)
class LossChart:
    """What to draw; the same chart in the same space is always drawn the same.

    It fills the space it is given: `width` and `height` in cells, where they are set, else what Rich offers.
    `smoothing` in [0, 1) is how many neighbours each point is averaged with; 0 draws what was measured.
    `cursor` is an x that is pointed at, from top to bottom and by a dot on the first series; one beyond the axis is
    drawn at its end.
    In a label of an axis, what follows a comma is left out where space is short: "loss, nats per token".
    `ascii` None asks the console whether it can show braille.
    """

    series: Sequence[Series] = ()
    levels: Sequence[Level] = ()
    best: tuple[float, float] | None = None
    title: str | None = None
    log_x: bool = False
    log_y: bool = False
    view: View = EVERYTHING
    smoothing: float = 0.0
    x_label: str = "step"
    y_label: str = "loss"
    best_label: str = "best"
    cursor: float | None = None
    cursor_style: StyleType = CURSOR_STYLE
    empty: str = "waiting for the first step"
    ascii: bool | None = None
    width: int | None = None
    height: int | None = None

    def extent(self) -> Extent | None:
        """The borders of all data, for `zoom` and `pan`; None while there is nothing to draw."""
        points = [clean(one, self.log_x, self.log_y) for one in self.series]
        points = [(xs, ys) for xs, ys in points if len(xs)]
        if not points:
            return None
        return Extent(
            x_min=min(float(xs[0]) for xs, _ in points),
            x_max=max(float(xs[-1]) for xs, _ in points),
            y_min=min(float(ys.min()) for _, ys in points),
            y_max=max(float(ys.max()) for _, ys in points),
        )

    def x_at(self, column: int, width: int, height: int) -> float | None:
        """The x under a column of cells of the chart drawn so large; None beside the plot."""
        drawn = draw(self, width, height)
        if drawn is None or not 0 <= column - drawn.frame.left < drawn.frame.columns:
            return None
        frame, x = drawn.frame, drawn.x
        wide = x.dots // frame.columns
        borders = x.borders()
        return float(borders[(column - frame.left) * wide + wide // 2])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(1, min(self.width or options.max_width, options.max_width))
        height = max(1, self.height or options.height or options.max_height)
        ascii = options.ascii_only or options.legacy_windows if self.ascii is None else self.ascii
        sheet = Sheet(width, height, ascii)
        _draw(self, sheet)
        yield from sheet.segments(console)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = max(1, min(self.width or options.max_width, options.max_width))
        return Measurement(width if self.width else 1, width)


class Drawn(NamedTuple):
    """What a chart came to: where its plot is, what that shows, and which of its cells (rows, columns) have words."""

    frame: Frame
    x: Scale
    y: Scale
    curves: list[Curve]
    levels: list[Level]
    heights: list[Tick]
    words: Mask


def draw(chart: LossChart, width: int, height: int) -> Drawn | None:
    """Return what the chart comes to in that many cells; None where there is nothing to draw."""
    return _draw(chart, Sheet(max(1, width), max(1, height), bool(chart.ascii)))


def _draw(chart: LossChart, sheet: Sheet) -> Drawn | None:
    """Draw; return what it came to, None where there is nothing to draw."""
    curves = prepare(chart.series, chart.log_x, chart.log_y, chart.smoothing, sheet.ascii)
    if not curves:
        text = shortened(plain(chart.empty, sheet.ascii), sheet.width, sheet.ascii)
        sheet.write(sheet.height // 2, (sheet.width - cell_len(text)) // 2, text, AXIS_STYLE)
        return None
    # The ends of the axes come first; how many dots they have is known when the words have their room.
    ends = min(float(curve.xs[0]) for curve in curves), max(float(curve.xs[-1]) for curve in curves)
    x = Scale(*x_range(*ends, chart.view, chart.log_x), dots=1, log=chart.log_x)
    seen = [part for curve in curves if len((part := curve.seen(x, chart.log_y)).xs)]
    y = Scale(*_y_range(chart, seen or curves, x), dots=1, log=chart.log_y)
    levels = [level for level in chart.levels if y.holds(level.y)]
    names = _curve_labels(seen, sheet.ascii)
    level_names = _level_labels(levels, sheet.ascii)

    frame = lay_out(sheet.width, sheet.height, y, [*names, *level_names], sheet.ascii)
    sheet.borders += [frame.left, frame.left + frame.columns] if frame.gutter else [frame.left]
    canvas = Canvas(frame.rows, frame.columns, sheet.ascii)
    x = replace(x, dots=canvas.columns * canvas.dots_wide)
    y = replace(y, dots=canvas.rows * canvas.dots_high)
    plot = Plot(sheet, frame.top, frame.left, x, y, canvas)
    heights = y_ticks(y, frame.rows, sheet.ascii) if frame.left else []
    plot.grid(heights)
    plot.raw(seen)
    plot.level_lines(levels)
    plot.curves(seen)
    if seen and chart.cursor is not None and np.isfinite(chart.cursor):
        plot.cursor(min(max(chart.cursor, x.low), x.high), chart.cursor_style, seen[0])
    if chart.best and all(np.isfinite(chart.best)):
        step, value = chart.best
        plot.best(step, value, f"{chart.best_label} {value_text(value)} @ {value_text(step, strip=True)}")

    if frame.top:
        draw_heading(sheet, chart.y_label, chart.title or "", [] if frame.gutter else names)
    if frame.gutter:
        draw_gutter(sheet, frame, [*names, *level_names], y)
    elif frame.top:
        for label in level_names:
            # Beside its line a name explains itself; further away the line's sign says what it belongs to.
            for text, reach in ((f"{label.name} {label.value}", 1), (f"{label.sign} {label.name} {label.value}", 3)):
                short = shortened(text, frame.columns - 4, sheet.ascii)
                if plot.note(short, plot.row(label.y), frame.columns, label.style, reach=reach, limit=CURVE_COST):
                    break
    if frame.left:
        draw_y_axis(sheet, frame, heights)
        whole = _whole(curves, x)
        draw_x_axis(sheet, frame, ticks(x, canvas.dots_wide, lambda text: len(text) + X_GAP, whole), chart.x_label)
    return Drawn(frame, x, y, seen, levels, heights, plot.words)


def _y_range(chart: LossChart, curves: Sequence[Curve], x: Scale) -> tuple[float, float]:
    """The y axis follows the newest share `focus` of what is seen, and the best point."""
    start = x.high - min(max(chart.view.focus, 0.01), 1.0) * (x.high - x.low)
    parts = [part for curve in curves if len(part := curve.ys[int(curve.xs.searchsorted(start)) :])]
    parts = parts or [curve.ys for curve in curves]
    values = [float(end) for part in parts for end in (part.min(), part.max())]
    if chart.best and x.holds(chart.best[0]) and abs(chart.best[1]) < LARGEST:
        values += [chart.best[1]] * (not chart.log_y or chart.best[1] > 1 / LARGEST)
    return y_range(min(values), max(values), chart.levels, chart.view, chart.log_y)


def _curve_labels(curves: Sequence[Curve], ascii: bool) -> list[Label]:
    return [
        Label(curve.sign, plain(curve.series.name, ascii), value_text(end), curve.series.style, end)
        for curve in curves
        for end in [float(curve.line[-1])]
    ]


def _level_labels(levels: Sequence[Level], ascii: bool) -> list[Label]:
    sign = "-" if ascii else "╌"
    return [
        Label(sign, plain(level.name, ascii), value_text(level.y, strip=True), level.style, level.y) for level in levels
    ]


def _whole(curves: Sequence[Curve], x: Scale) -> bool:
    """Whether the few xs in sight are whole numbers, as steps are: then there is no step 2.5."""
    if x.high - x.low > 100:
        return False
    return all(bool(np.all(curve.xs == np.rint(curve.xs))) for curve in curves)
