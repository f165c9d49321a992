"""Which part of the data is seen: a view, and how it is zoomed and moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log10
from typing import Literal, TypeAlias

Axis: TypeAlias = Literal["x", "y"]


@dataclass(frozen=True)
class View:
    """The borders the user chose, in the units of the data; None follows the data.

    `focus` (0 to 1] makes the y axis follow only the newest share of the x axis: 0.5 forgets the fall at the start.
    """

    x_min: float | None = None
    x_max: float | None = None
    y_min: float | None = None
    y_max: float | None = None
    focus: float = 1.0


@dataclass(frozen=True)
class Extent:
    """The smallest and largest values of the data, or of the part that is seen."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float


def zoom(view: View, extent: Extent, factor: float, centre: float = 0.5, axis: Axis = "x", log: bool = False) -> View:
    """See `1 / factor` of what is seen now; `centre`, a share of the seen range, stays where it is.

    `extent` is that of all data. Zooming out beyond it follows the data again.
    """
    low, high = _seen(view, extent, axis, log)
    size = (high - low) / factor
    start = low + centre * (high - low - size)
    return _clamped(view, extent, axis, log, start, size)


def pan(view: View, extent: Extent, share: float, axis: Axis = "x", log: bool = False) -> View:
    """Move by a share of what is seen (0.5 is half a screen to the right or up), not beyond the data."""
    low, high = _seen(view, extent, axis, log)
    return _clamped(view, extent, axis, log, low + share * (high - low), high - low)


def _seen(view: View, extent: Extent, axis: Axis, log: bool) -> tuple[float, float]:
    """What is seen now, in the units of the screen: the logarithms on a logarithmic axis."""
    chosen = (view.x_min, view.x_max) if axis == "x" else (view.y_min, view.y_max)
    data = _data(extent, axis, log)
    low, high = (
        end if value is None or (log and value <= 0) else (log10(value) if log else value)
        for value, end in zip(chosen, data, strict=True)
    )
    return (low, high) if low < high else data


def _data(extent: Extent, axis: Axis, log: bool) -> tuple[float, float]:
    low, high = (extent.x_min, extent.x_max) if axis == "x" else (extent.y_min, extent.y_max)
    return (log10(low), log10(high)) if log and 0 < low <= high else (low, high)


def _clamped(view: View, extent: Extent, axis: Axis, log: bool, start: float, size: float) -> View:
    """The view with one axis at `start`, pushed back inside the data; a size as large as the data follows the data."""
    low, high = _data(extent, axis, log)
    if size <= 0 or size >= (high - low) * (1 - 1e-9):
        return replace(view, x_min=None, x_max=None) if axis == "x" else replace(view, y_min=None, y_max=None)
    start = min(max(start, low), high - size)
    first, last = (10**start, 10 ** (start + size)) if log else (start, start + size)
    return replace(view, x_min=first, x_max=last) if axis == "x" else replace(view, y_min=first, y_max=last)
