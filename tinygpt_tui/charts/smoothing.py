"""The line in a noisy curve."""

from __future__ import annotations

import numpy as np

from tinygpt_tui.charts.data import Floats


def reach_of(smoothing: float) -> int:
    """Return how many neighbours on each side `smoothing` averages a point with; at the end of a curve, on the left."""
    weight = min(max(smoothing, 0.0), 0.9999)
    return round(weight / (1 - weight))


def smoothed(values: Floats, smoothing: float) -> Floats:
    """The mean (N,) of each of the values (N,) and its neighbours on both sides.

    `smoothing` s in [0, 1) means what it means for a running mean that keeps s at each point: as many neighbours count,
    s / (1 - s) on each side, as leave the same noise. A running mean itself would trail behind a falling curve, and
    draw the training loss above the validation loss where it is not. Near the start, where a loss falls fast, the
    neighbours are as few on the right as there are on the left; at the end they are those on the left.
    """
    count = len(values)
    reach = reach_of(smoothing)
    if reach < 1 or count < 2:
        return values
    means = np.empty(count)
    whole = slice(min(reach, count), max(min(reach, count), count - reach))  # where both sides have all neighbours
    means[whole] = _sums(values, 2 * reach + 1)[: whole.stop - whole.start] / (2 * reach + 1)
    start, end = np.arange(whole.start), np.arange(whole.stop, count)
    last = np.minimum(np.minimum(start + reach, 2 * start), count - 1)
    means[start] = np.cumsum(values)[last] / (last + 1)
    means[end] = np.cumsum(values[::-1])[::-1][end - reach] / (count + reach - end)
    return means


def _sums(values: Floats, width: int) -> Floats:
    """The sums of all `width` neighbouring values (N,): N - width + 1, or none.

    Each is the end of one block of `width` and the start of the next, and no difference of larger sums: beside one huge
    value the others would be lost in its rounding.
    """
    blocks = np.zeros((-(-len(values) // width), width))
    blocks.ravel()[: len(values)] = values
    to_end = np.cumsum(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    from_start = np.cumsum(blocks, axis=1).ravel()
    first = np.arange(max(0, len(values) - width + 1))
    return to_end[first] + np.where(first % width, from_start[first + width - 1], 0.0)
