"""The colours of heat pictures, from the theme: component classes of whichever widget draws one."""

from __future__ import annotations

from textual.color import Color
from textual.widget import Widget

from tinygpt_tui.ui.inspect.heat import Palette

HEAT_CLASSES = {"heat--below", "heat--above"}
HEAT_CSS = """
    & .heat--below { color: $primary; }
    & .heat--above { color: $accent; }
"""


def palette_of(widget: Widget) -> Palette:
    """Return the theme's colours; a plain palette if there are none, or only the terminal's own."""
    _, ground = widget.background_colors
    below, above = (widget.get_component_styles(name).color for name in ("heat--below", "heat--above"))
    plain = widget.app.no_color or any(colour.ansi is not None for colour in (below, above, ground))
    return Palette(_whole(below), _whole(above), _whole(ground), plain)


def _whole(colour: Color) -> Color:
    return Color(colour.r, colour.g, colour.b)
