"""What a moment writes: shown from its beginning, which is what is compared from moment to moment."""

from __future__ import annotations

from tinygpt_tui.ui.shared.output_text import OutputText


class MomentText(OutputText):
    """The same lines stay in sight whatever text comes into them."""

    DEFAULT_CSS = "MomentText.-stale { text-opacity: 50%; }"
    HELP = (
        "What the model of this step writes: your prompt in bold, then its own text. At every step it draws with the "
        "same random numbers, so what differs is what it had learnt by then."
    )

    def _to_end(self) -> None:
        """Nobody follows the end here."""

    def action_follow(self) -> None:
        """Go to the end, once."""
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
