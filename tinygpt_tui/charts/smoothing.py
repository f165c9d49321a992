"""The line in a noisy curve."""

from __future__ import annotations

import numpy as np

from tinygpt_tui.charts.data import Floats


def smoothed(values: Floats, smoothing: float) -> Floats:
    """The mean (N,) of each of the values (N,) and its neighbours on both sides.

    `smoothing` s in [0, 1) means what it means for a running mean that keeps s at each point: as many neighbours count,
    s / (1 - s) on each side, as leave the same noise. A running mean itself would trail behind a falling curve, and
    draw the training loss above the validation loss where it is not. Near the start, where a loss falls fast, the
    neighbours are as few on the right as there are on the left; at the end they are those on the left.
    """
    count = len(values)
    reach = round(min(smoothing, 0.9999) / (1 - min(smoothing, 0.9999))) if smoothing > 0 else 0
    if reach < 1 or count < 2:
        return values
    sums = np.concatenate(([0.0], np.cumsum(values)))
    means = np.empty(count)
    whole = slice(min(reach, count), max(min(reach, count), count - reach))  # where both sides have all neighbours
    width = 2 * reach + 1
    means[whole] = (sums[width:] - sums[: max(0, count + 1 - width)]) / width
    for places in (np.arange(whole.start), np.arange(whole.stop, count)):
        left = np.maximum(0, places - reach)
        right = np.minimum(np.minimum(places + reach, 2 * places), count - 1) + 1
        means[places] = (sums[right] - sums[left]) / (right - left)
    return means
