"""The plot of a chart in pixels: it shows what the characters show, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from tinygpt_tui.charts.chart import LossChart, draw
from tinygpt_tui.charts.data import BLUE, ORANGE, Level, Series
from tinygpt_tui.charts.pixels import plot_pixels

GROUND, INK = (20, 23, 29), (200, 200, 200)
SIZES = [(1, 1), (7, 2), (16, 6), (40, 10), (140, 40)]
STEPS = np.arange(1.0, 400.0)


def chart(**settings: object) -> LossChart:
    falling = 1 + 3 / np.sqrt(STEPS)
    series = [
        Series("train", STEPS, falling, BLUE),
        Series("validation", STEPS[::50], falling[::50] + 0.2, ORANGE, "points"),
        Series("old", STEPS, falling + 0.5, "#808080", "ghost"),
        Series("rate", STEPS, falling + 1, "#00ff00", "dashes"),
    ]
    given = {"series": series, "levels": [Level("bigram", 2.5)], "best": (351.0, 1.3), "smoothing": 0.9, "cursor": 99}
    return LossChart(**{**given, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_it_covers_the_plot_and_leaves_the_words(size: tuple[int, int], log: bool) -> None:
    made, drawn = chart(log_x=log, log_y=log), draw(chart(log_x=log, log_y=log), *size)
    plot = plot_pixels(made, *size, GROUND, INK)
    assert plot is not None
    assert drawn is not None
    assert (plot.left, plot.top) == (drawn.frame.left, drawn.frame.top)
    pixels = plot.draw((9, 20))
    assert pixels.shape == (plot.rows * 20, plot.columns * 9, 4)
    free = pixels[..., 3].reshape(plot.rows, 20, plot.columns, 9)
    assert ((free == 0).all(axis=(1, 3)) == drawn.words).all()
    assert ((free == 255).all(axis=(1, 3)) == ~drawn.words).all()
    if size == SIZES[-1]:
        console = Console(width=size[0], height=size[1])
        lines = "".join(segment.text for segment in console.render(made)).split("\n")
        cells = np.array([list(line[plot.left : plot.left + plot.columns]) for line in lines[plot.top :][: plot.rows]])
        assert "best 1.300 @ 351" in "".join(cells[drawn.words])


@pytest.mark.parametrize("kind", ["line", "dashes", "points", "ghost"])
def test_a_curve_is_where_its_values_are(kind: str) -> None:
    ys = 2 + np.sin(STEPS / 60)
    made = LossChart([Series("one", STEPS, ys, "#ff0000", kind)])  # type: ignore[arg-type]
    plot, drawn = plot_pixels(made, 100, 30, GROUND, INK), draw(made, 100, 30)
    assert plot is not None
    assert drawn is not None
    pixels = plot.draw((8, 16)).astype(int)
    red = (pixels[..., 0] - pixels[..., 1] > 100) & (pixels[..., 3] > 0)
    rows, columns = np.nonzero(red)
    assert len(np.unique(columns)) > 0.3 * pixels.shape[1]
    x = np.interp(columns / (pixels.shape[1] - 1), [0, 1], [drawn.x.low, drawn.x.high])
    y = np.interp(1 - rows / (pixels.shape[0] - 1), [0, 1], [drawn.y.low, drawn.y.high])
    high = (drawn.y.high - drawn.y.low) / (pixels.shape[0] - 1)
    assert np.abs(y - (2 + np.sin(x / 60))).max() < (8 if kind == "points" else 3.5) * high
    assert plot_pixels(LossChart(), 100, 30, GROUND, INK) is None
