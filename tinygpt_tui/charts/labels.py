"""Where words go: names beside the ends of curves, and notes inside the plot where they hide the least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.style import StyleType

from tinygpt_tui.charts.sheet import shortened


@dataclass(frozen=True)
class Label:
    """A name with its value, as text and as `y`; `sign` shows how its curve is drawn."""

    sign: str
    name: str
    value: str
    style: StyleType
    y: float

    def text(self, width: int, ascii: bool) -> str:
        """As much as `width` cells have room for: the name gives way first, then the value."""
        full = f"{self.sign} {self.name} {self.value}"
        if cell_len(full) <= width:
            return full
        room = width - cell_len(self.sign) - len(self.value) - 2
        if room >= 3:
            return f"{self.sign} {_without_middle(self.name, room, ascii)} {self.value}"
        return shortened(f"{self.sign} {self.name}", width, ascii)


def _without_middle(name: str, room: int, ascii: bool) -> str:
    """A name in `room` cells; where it is long, with both ends: runs are called x-small, x-large, x-2."""
    tail = room // 2 - 1
    if tail < 2 or cell_len(name) <= room or cell_len(name) != len(name):
        return shortened(name, room, ascii)
    return shortened(name, room - tail, ascii) + name[-tail:]


def spread(wanted: list[int], rows: int) -> list[int]:
    """Rows for labels in order of `wanted` (not more than `rows`), all different, each near the one it wants.

    Labels that want the same place share the shift: their block is centred on what its members want.
    """
    blocks: list[tuple[list[int], int]] = []
    for want in wanted:
        members, start = [want], min(max(want, 0), rows - 1)
        while blocks and start < blocks[-1][1] + len(blocks[-1][0]):
            members = blocks.pop()[0] + members
            centre = sum(want - place for place, want in enumerate(members)) / len(members)
            start = min(max(round(centre), 0), rows - len(members))
        blocks.append((members, start))
    return [start + place for members, start in blocks for place in range(len(members))]


def free_place(
    cost: NDArray[np.float64], size: int, row: int, column: int, reach: int, limit: float
) -> tuple[int, int] | None:
    """The corner of a text of `size` cells near a cell of the plot where it covers the least.

    `cost` (rows, columns) says how bad it is to cover each cell. None where each place costs more than `limit`.
    """
    rows, columns = cost.shape
    if size > columns:
        return None
    # Sums over each run of `size` cells, from one cumulative sum a row.
    total = np.concatenate((np.zeros((rows, 1)), np.cumsum(cost, axis=1)), axis=1)
    covered = total[:, size:] - total[:, :-size]  # (rows, columns - size + 1)
    first, last = max(0, row - reach), min(rows, row + reach + 1)
    starts = np.arange(columns - size + 1)
    beside = np.maximum(np.maximum(starts - column - 2, column - starts - size - 1), 0)
    away = np.abs(np.arange(first, last) - row)
    centred = np.abs(starts + size / 2 - column) / (size + 1)
    price = covered[first:last] + 0.25 * away[:, None] + beside * 0.5 + 0.1 * centred
    if not price.size:
        return None
    best = int(np.argmin(price))
    at = first + best // len(starts), best % len(starts)
    return (int(at[0]), int(at[1])) if covered[at] <= limit else None
