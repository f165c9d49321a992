"""A view that is a loss chart: its plot is a picture over the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.geometry import Region

from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.pixels import plot_pixels
from tinygpt_tui.ui.pictures.view import Picture, PictureView

if TYPE_CHECKING:
    from textual.widget import Widget


class ChartView(PictureView):
    """Mixed into a widget; its `render` returns `note_chart(chart)`, of a chart that has its width and its height."""

    _chart: LossChart | None = None
    _found: Sequence[Picture] | None = None  # the pictures of that chart

    def note_chart(self, chart: LossChart) -> LossChart:
        """Note what is drawn now, and return it."""
        self._chart, self._found = chart, None
        return chart

    def pictures(self) -> Sequence[Picture]:
        if self._found is None:
            self._found = _pictures(self, self._chart) if self._chart is not None else ()  # type: ignore[arg-type]
        return self._found


def _pictures(widget: Widget, chart: LossChart) -> Sequence[Picture]:
    assert chart.width is not None, "a chart that was noted has its size"
    assert chart.height is not None, "a chart that was noted has its size"
    ground, ink = widget.background_colors[1], widget.styles.color
    plot = plot_pixels(chart, chart.width, chart.height, ground.rgb, ink.rgb)
    if plot is None:
        return ()
    return (Picture(Region(plot.left, plot.top, plot.columns, plot.rows), chart, plot.draw),)
