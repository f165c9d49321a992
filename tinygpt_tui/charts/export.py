"""A chart as a picture."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, RenderableType


def export_svg(chart: RenderableType, width: int, height: int, title: str) -> str:
    """The chart as SVG, drawn in a terminal of width x height cells with a title bar."""
    console = recording_console(width, height)
    console.print(chart, height=height)
    return console.export_svg(title=title)


def recording_console(width: int, height: int) -> Console:
    """Return a console of width x height cells, in colour, that records what is printed and shows nothing."""
    return Console(
        file=StringIO(),
        record=True,
        width=width,
        height=height,
        color_system="truecolor",
        force_terminal=True,
        legacy_windows=False,
        _environ={},  # NO_COLOR is about the terminal, not about pictures
    )
