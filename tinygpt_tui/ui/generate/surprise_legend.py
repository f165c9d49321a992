"""What the colours of surprise mean, in one line."""

from __future__ import annotations

from itertools import pairwise

from rich.text import Text
from textual.widget import Widget

from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.surprise_index import STEPS_BITS

TITLE = "surprise in bits "


class SurpriseLegend(Widget):
    """Draws each level as the output draws it, with its bits."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "SurpriseLegend { height: 1; padding: 0 2; }"

    def __init__(self, output: OutputText) -> None:
        super().__init__()
        self._output = output

    def render(self) -> Text:
        """Return the line; where it is narrow, without its title."""
        names = legend_names()
        levels = [(f" {name} ", self._output.level_style(level)) for level, name in enumerate(names, start=1)]
        line = Text.assemble(*levels, no_wrap=True, overflow="crop")
        title = Text(TITLE)
        return Text.assemble(title, line) if title.cell_len + line.cell_len <= self.content_size.width else line


def legend_names() -> list[str]:
    """Return the bits of each level.

    >>> legend_names()
    ['below 1', '1–2', '2–4', '4–6', '6–9', '9 and more']
    """
    between = [f"{low:g}–{high:g}" for low, high in pairwise(STEPS_BITS)]
    return [f"below {STEPS_BITS[0]:g}", *between, f"{STEPS_BITS[-1]:g} and more"]
