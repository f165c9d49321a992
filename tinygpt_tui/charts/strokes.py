"""From points to dots: however many points, at most one stroke for each column of dots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.charts.data import Floats
from tinygpt_tui.charts.scale import Scale

Mask: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """The points of each column of dots that has any: K columns from left to right, values in units of the data."""

    index: Integers
    first: Floats
    last: Floats
    low: Floats
    high: Floats
    mean: Floats

    @property
    def means(self) -> Columns:
        """The same columns as a thin line, without their spread."""
        return Columns(self.index, self.mean, self.mean, self.mean, self.mean, self.mean)


def within(xs: Floats, ys: Floats, x: Scale, log_y: bool) -> tuple[Floats, Floats]:
    """The points that the x axis spans, and one on each border that the curve crosses."""
    start, end = int(np.searchsorted(xs, x.low, "left")), int(np.searchsorted(xs, x.high, "right"))
    left = [(x.low, _crossing(xs, ys, start, x.low, x, log_y))] if 0 < start < len(xs) else []
    right = [(x.high, _crossing(xs, ys, end, x.high, x, log_y))] if 0 < end < len(xs) else []
    if not left and not right:
        return xs[start:end], ys[start:end]
    return (
        np.concatenate(([at for at, _ in left], xs[start:end], [at for at, _ in right])),
        np.concatenate(([value for _, value in left], ys[start:end], [value for _, value in right])),
    )


def _crossing(xs: Floats, ys: Floats, after: int, border: float, x: Scale, log_y: bool) -> float:
    """The y at which the straight stroke on the screen from point `after - 1` to `after` crosses a border."""
    pair = slice(after - 1, after + 1)
    ends = np.log10(ys[pair]) if log_y else ys[pair]
    value = np.interp(x.unit(np.array([border])), x.unit(xs[pair]), ends)[0]
    return float(10.0**value if log_y else value)


def columns(xs: Floats, ys: Floats, x: Scale) -> Columns:
    """Gather points (N,) with rising xs by column of dots, without a loop over points."""
    borders = np.searchsorted(xs, x.borders())
    # The outermost points sit on the borders of the range, and rounding may put them beyond.
    borders[0], borders[-1] = 0, len(xs)
    index = np.flatnonzero(borders[1:] > borders[:-1])
    starts, ends = borders[index], borders[index + 1]
    if not len(index):
        return Columns(index, ys, ys, ys, ys, ys)
    return Columns(
        index=index,
        first=ys[starts],
        last=ys[ends - 1],
        low=np.minimum.reduceat(ys, starts),
        high=np.maximum.reduceat(ys, starts),
        mean=np.add.reduceat(ys, starts) / (ends - starts),
    )


def stroke(found: Columns, x: Scale, y: Scale) -> Mask:
    """Dots (y.dots, x.dots), row 0 on top: a joined line through the columns, as thick as their spread."""
    mask = np.zeros((y.dots, x.dots), dtype=np.bool_)
    if not len(found.index):
        return mask
    start, stop = int(found.index[0]), int(found.index[-1]) + 1
    here = found.index - start
    places = [y.dots - 1 - y.place(values) for values in (found.first, found.last, found.high, found.low)]
    if stop - start > len(here):
        knots = np.stack((here, here + 1e-6), axis=1).ravel()
        between = np.interp(np.arange(stop - start), knots, np.stack(places[:2], axis=1).ravel())
        places = [_filled(between, here, values) for values in places]
    # Rows grow downwards, so the highest value is the lowest row.
    enter, leave, low, high = (np.rint(values).astype(np.int64) for values in places)
    # Neighbours meet half way, and touch at corners only: a slope is then one dot thick.
    middle, gap = (leave[:-1] + enter[1:]) >> 1, enter[1:] - leave[:-1]
    down, up = gap > 1, gap < -1
    high[:-1] = np.where(down, np.maximum(high[:-1], middle), high[:-1])
    low[1:] = np.where(down, np.minimum(low[1:], middle + 1), low[1:])
    low[:-1] = np.where(up, np.minimum(low[:-1], middle + 1), low[:-1])
    high[1:] = np.where(up, np.maximum(high[1:], middle), high[1:])
    rows = np.arange(y.dots)[:, None]
    mask[:, start:stop] = (rows >= low) & (rows <= high)
    return mask


def _filled(between: Floats, here: Integers, values: Floats) -> Floats:
    filled = between.copy()
    filled[here] = values
    return filled
