"""From the units of the data to dots of the screen and back, linear or logarithmic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tinygpt_tui.charts.data import LARGEST, Floats, Level
from tinygpt_tui.charts.view import View

# A level this share of the range outside of it is worth stretching the range for.
LEVEL_MARGIN = 1 / 3
PADDING = 0.03


@dataclass(frozen=True)
class Scale:
    """`low` is at the middle of dot 0, `high` at the middle of dot `dots - 1`."""

    low: float
    high: float
    dots: int
    log: bool = False

    def unit(self, values: Floats) -> Floats:
        """Values in the units that are linear on the screen."""
        return np.log10(values) if self.log else values

    def place(self, values: Floats) -> Floats:
        """Values (N,) to dots (N,), not rounded; far outside they are cut, to fit in an integer."""
        low, high = self._ends()
        # Divided first: the product of a large value and the number of dots could overflow.
        place = (self.unit(values) - low) / (high - low) * (self.dots - 1)
        return np.clip(place, -10.0 * self.dots - 10, 11.0 * self.dots + 10)

    def dot(self, value: float) -> int:
        return int(np.rint(self.place(np.array([value], dtype=np.float64)))[0])

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def borders(self) -> Floats:
        """The values (dots + 1,) at the edges of the dots."""
        low, high = self._ends()
        borders = low + (np.arange(self.dots + 1) - 0.5) / max(1, self.dots - 1) * (high - low)
        return np.power(10.0, borders) if self.log else borders

    def _ends(self) -> tuple[float, float]:
        low, high = self.unit(np.array([self.low, self.high], dtype=np.float64))
        return float(low), float(high)


def x_range(low: float, high: float, view: View, log: bool) -> tuple[float, float]:
    """What the x axis spans: the view where it says so, else the data's `low` to `high`."""
    return _chosen(_opened(low, high, log), view.x_min, view.x_max, log)


def y_range(low: float, high: float, levels: Iterable[Level], view: View, log: bool) -> tuple[float, float]:
    """What the y axis spans: the view where it says so, else the data, near or `always` seen levels, and air."""
    low, high = _opened(low, high, log)
    bottom, top = np.log10((low, high)) if log else (low, high)
    margin = (top - bottom) * LEVEL_MARGIN
    seen = [level for level in levels if abs(level.y) < LARGEST and (not log or level.y > 1 / LARGEST)]
    heights = [(np.log10(level.y) if log else level.y, level.always) for level in seen]
    near = [y for y, always in heights if always or bottom - margin <= y <= top + margin]
    bottom, top = min([bottom, *near]), max([top, *near])
    air = (top - bottom) * PADDING
    # Losses and speeds are not negative, so neither is the axis.
    bottom, top = (bottom - air if log or not 0 <= bottom < air else 0.0), top + air
    spanned = (float(10.0**bottom), float(10.0**top)) if log else (float(bottom), float(top))
    return _chosen(spanned, view.y_min, view.y_max, log)


def _opened(low: float, high: float, log: bool) -> tuple[float, float]:
    """A range of no size is given one."""
    if high - low > 1e-9 * max(abs(low), abs(high)) and high - low > 1e-90:
        return low, high
    if log:
        return low / 2, high * 2
    air = max(1.0, abs(low) * 1e-3) if low == np.rint(low) else abs(low) * 0.1 + 1e-90
    return low - air, high + air


def _chosen(data: tuple[float, float], low: float | None, high: float | None, log: bool) -> tuple[float, float]:
    """The data's range with the ends the user chose; ends that leave nothing to see are ignored."""
    usable = [value is not None and abs(value) < LARGEST and (not log or value > 1 / LARGEST) for value in (low, high)]
    first = low if low is not None and usable[0] else data[0]
    last = high if high is not None and usable[1] else data[1]
    if last - first > 1e-12 * max(abs(first), abs(last)) and last - first > 1e-90:
        return first, last
    return data
