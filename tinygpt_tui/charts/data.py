"""What a chart is made of: series of points, levels to compare them with, and their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.style import StyleType

Floats: TypeAlias = NDArray[np.float64]
Kind: TypeAlias = Literal["line", "points", "dashes", "ghost"]

# Middle lightness: each has a contrast of more than 3 on black and on white.
BLUE = "#3b8eea"
ORANGE = "#e07b39"
GREEN = "#2a9d6f"
VIOLET = "#a56cd6"
GREY = "#808080"
SERIES_STYLES = (BLUE, ORANGE, GREEN, VIOLET)
AXIS_STYLE = GREY
GRID_STYLE = f"dim {GREY}"
TITLE_STYLE = "bold"
LEVEL_STYLE = GREY
BEST_STYLE = f"bold {GREEN}"
CURSOR_STYLE = f"bold {VIOLET}"

# Beyond this the differences of two floats may overflow, and no axis could show them.
LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class Series:
    """One curve: `xs` and `ys` of the same length, in any order; where an x is repeated, the later y wins.

    `line` is solid, `dashes` is broken, `points` are marks joined by dots; what the chart smooths are lines and dashes.
    A `ghost` is a faint curve to compare with, marked with its letter at some places.
    Give numpy arrays of float64 if the history is long: a list is converted at every drawing.
    """

    name: str
    xs: Sequence[float] | NDArray[np.generic]
    ys: Sequence[float] | NDArray[np.generic]
    style: StyleType = BLUE
    kind: Kind = "line"


@dataclass(frozen=True)
class Level:
    """A horizontal line to compare the curves with, named at its right end; an `always` seen one widens the axis."""

    name: str
    y: float
    style: StyleType = LEVEL_STYLE
    always: bool = False


def clean(series: Series, log_x: bool = False, log_y: bool = False) -> tuple[Floats, Floats]:
    """The points (N,), (N,) that can be drawn: finite, positive on logarithmic axes, xs strictly rising."""
    count = min(len(series.xs), len(series.ys))
    xs = np.asarray(series.xs, dtype=np.float64)[:count]
    ys = np.asarray(series.ys, dtype=np.float64)[:count]
    keep = (np.abs(xs) < LARGEST) & (np.abs(ys) < LARGEST)
    if log_x:
        keep &= xs > 1 / LARGEST
    if log_y:
        keep &= ys > 1 / LARGEST
    if not keep.all():
        xs, ys = xs[keep], ys[keep]
    if np.all(xs[1:] > xs[:-1]):
        return xs, ys
    order = np.argsort(xs, kind="stable")
    xs, ys = xs[order], ys[order]
    last = np.append(xs[1:] != xs[:-1], True)
    return xs[last], ys[last]
