"""What an engine does when the window is full.

- `exact`: the last block_size ids are read again from the start for every token, because each of them has moved to
  another position: token for token what nanoGPT writes.
- `reanchor`: the last half is read again and becomes the beginning; then there is room for half a window. As fast as
  inside the window, but the text just after a cut is written with half the context.
- `rolling`: for a model whose positions are relative and whose attention was trained to slide: keys and values that
  fell out of the window are forgotten, nothing is read again, and the answer is that of the whole text.
"""

from __future__ import annotations

from typing import Literal

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.sampling import Window

Policy = Literal["exact", "reanchor", "rolling"]


def policy_for(window: Window, settings: ArchitectureSettings) -> Policy:
    """Return what `window` comes to for a model of these settings.

    Raises UsageError for `rolling` where the model was not trained to slide.
    """
    if window == "auto":
        return "rolling" if settings.supports_sliding else "exact"
    if window == "rolling" and not settings.supports_sliding:
        raise UsageError(
            "rolling needs a model whose attention was trained to slide",
            "choose exact, or reanchor where speed matters more",
            setting="window",
        )
    return window


def retained_after(policy: Policy, block_size: int) -> int:
    """Return how many ids of a full window are read again together with the new one.

    >>> retained_after("exact", 8), retained_after("reanchor", 8)
    (7, 3)
    """
    return block_size - 1 if policy == "exact" else max(1, block_size // 2) - 1
