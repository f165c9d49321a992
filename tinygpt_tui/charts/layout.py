"""How a chart divides its space: the smaller it is, the fewer words are around the plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from tinygpt_tui.charts.canvas import DOTS_HIGH
from tinygpt_tui.charts.labels import Label
from tinygpt_tui.charts.scale import Scale
from tinygpt_tui.charts.ticks import Tick, ticks

# The least cells for the top line, for the axes, and for names at the right of the plot.
HEADING_WIDTH, HEADING_HEIGHT = 24, 7
AXES_WIDTH, AXES_HEIGHT = 16, 6
GUTTER_WIDTH, GUTTER_HEIGHT = 72, 10
GUTTER_SHARE = 0.28  # 80 columns have room for a validation loss
LEAST_COLUMNS = 8
# The line of the x axis and its numbers.
X_AXIS_ROWS = 2


@dataclass(frozen=True)
class Frame:
    """Cells of the parts of a chart: a plot of `rows` x `columns` at (`top`, `left`), and names in the `gutter`.

    `top` 0 is without the top line, `left` 0 without axes, `gutter` 0 without names at the right.
    """

    top: int
    left: int
    rows: int
    columns: int
    gutter: int


def lay_out(width: int, height: int, y: Scale, labels: Sequence[Label], ascii: bool) -> Frame:
    """The parts that have room in width x height cells, with what the y axis needs for its numbers."""
    top = int(width >= HEADING_WIDTH and height >= HEADING_HEIGHT)
    rows, left = height - top, 0
    if width >= AXES_WIDTH and height >= AXES_HEIGHT:
        texts = [tick.text for tick in y_ticks(y, rows - X_AXIS_ROWS, ascii)]
        left = max(map(cell_len, texts), default=0) + 2
    if width - left < LEAST_COLUMNS:
        left = 0
    if left:
        rows -= X_AXIS_ROWS
    gutter = 0
    if width >= GUTTER_WIDTH and height >= GUTTER_HEIGHT and labels:
        wanted = max(cell_len(label.text(width, ascii)) for label in labels)
        gutter = min(wanted + 1, int(width * GUTTER_SHARE))
    return Frame(top, left, rows, width - left - gutter, gutter)


def y_ticks(y: Scale, rows: int, ascii: bool) -> list[Tick]:
    """The numbers of a y axis of `rows` rows, less dense the taller it is."""
    # Round numbers are uneven on a logarithmic axis: asked for much room, the few that are left say too little.
    room = 2 if rows < 12 or y.log else 3 if rows < 28 else 4
    dots = 1 if ascii else DOTS_HIGH
    return ticks(replace(y, dots=rows * dots), dots, lambda text: room, strip=False)
