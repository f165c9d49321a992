"""What a moment's model writes, shown from its start, which is compared from moment to moment."""

from __future__ import annotations

from tinygpt_tui.ui.shared.output_text import OutputText


class MomentText(OutputText):
    """The same lines stay visible whatever text they have."""

    DEFAULT_CSS = "MomentText.-stale { text-opacity: 50%; }"
    HELP = (
        "What the model of this step writes: your prompt in bold, then its own text. Every step uses the same random "
        "numbers, so the texts differ only by what it had learned by then."
    )

    def _to_end(self) -> None:
        """Do not follow the end."""

    def action_follow(self) -> None:
        """Go to the end, once."""
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
