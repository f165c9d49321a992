"""The loss chart as a Rich renderable: the app, the terminal and the exported picture share it."""

from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.data import (
    BEST_STYLE,
    BLUE,
    GREEN,
    GREY,
    LEVEL_STYLE,
    ORANGE,
    SERIES_STYLES,
    VIOLET,
    Kind,
    Level,
    Series,
)
from tinygpt_tui.charts.export import export_svg
from tinygpt_tui.charts.view import Extent, View, pan, zoom

__all__ = [
    "BEST_STYLE",
    "BLUE",
    "GREEN",
    "GREY",
    "LEVEL_STYLE",
    "ORANGE",
    "SERIES_STYLES",
    "VIOLET",
    "Extent",
    "Kind",
    "Level",
    "LossChart",
    "Series",
    "View",
    "export_svg",
    "pan",
    "zoom",
]
