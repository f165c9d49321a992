"""The line in a noisy curve."""

from __future__ import annotations

from math import log

import numpy as np

from tinygpt_tui.charts.data import Floats

# A block ends where its first value counts this little, so that 1 / FORGOTTEN stays far from overflow.
FORGOTTEN = 1e-8


def smoothed(values: Floats, smoothing: float) -> Floats:
    """Values (N,) without their noise (N,): the mean of a running mean from the left and one from the right.

    A running mean from the left alone trails behind a falling curve, and would draw the training loss above the
    validation loss where it is not.
    """
    if smoothing <= 0 or len(values) < 2:
        return values
    return (running_mean(values, smoothing) + running_mean(values[::-1], smoothing)[::-1]) / 2


def running_mean(values: Floats, smoothing: float) -> Floats:
    """The exponential moving average (N,) of values (N,): each takes `1 - smoothing` of the new value.

    The start is corrected as in Adam (Kingma and Ba 2015, section 3), so the first value is not pulled to zero.
    No loop over points: a block is one cumulative sum of values divided by their weights, and what one block hands to
    the next is a shorter average of the same kind, of which only two terms are not negligible.
    """
    keep = min(smoothing, 0.9999)
    size = max(1, min(len(values), int(log(FORGOTTEN) / log(keep))))
    count = -(-len(values) // size)
    blocks = np.zeros((count, size))
    blocks.ravel()[: len(values)] = values
    weights = keep ** np.arange(size)
    blocks /= weights
    np.cumsum(blocks, axis=1, out=blocks)
    blocks *= weights * (1 - keep)
    ends = blocks[:, -1].copy()
    handed = np.zeros(count)
    handed[1:] = ends[:-1]
    handed[2:] += keep**size * ends[:-2]
    blocks += handed[:, None] * (keep * weights)
    result = blocks.ravel()[: len(values)]
    early = min(len(values), int(log(1e-17) / log(keep)) + 1)
    result[:early] /= 1 - keep ** np.arange(1, early + 1)
    return result
