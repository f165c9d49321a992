"""One of two texts that are compared from their beginning: with senses as they are, or turned."""

from __future__ import annotations

from tinygpt_tui.ui.widgets.race_text import RaceText


class SenseText(RaceText):
    """The same lines stay in sight whatever text comes into them."""

    HELP = (
        "What the model writes on: on the left as it is, on the right with the senses that were turned, both with the "
        "same random numbers. The reversed character is the first one that differs; the bar runs along what is the "
        "same."
    )

    def _to_end(self) -> None:
        """Nobody follows the end here."""

    def action_follow(self) -> None:
        """Go to the end, once."""
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
