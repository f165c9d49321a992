"""What a moment's model writes, shown from its start, which is compared from moment to moment."""

from __future__ import annotations

from tinygpt_tui.ui.shared.text_view import TextView


class MomentText(TextView):
    """The same lines stay visible whatever text they have."""

    FOLLOWS_END = False
    DEFAULT_CSS = "MomentText.-stale { text-opacity: 50%; }"
    HELP = (
        "What the model of this step writes: your prompt in bold, then its own text. Every step uses the same random "
        "numbers, so the texts differ only by what it had learned by then."
    )
