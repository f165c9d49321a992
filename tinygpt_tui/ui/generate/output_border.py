"""What the border of the output says: temperature and pace, seed and branch."""

from __future__ import annotations

from collections.abc import Sequence

from textual.markup import escape

from tinygpt_tui.sessions.document import Session
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.shared.sampling_words import draw_words

BETWEEN = " · "


def dials(sampling: SamplingSettings, pace: str) -> list[str]:
    """Return what shapes each draw, in colour where it differs from the default, and the pace; as markup."""
    words = [f"[$accent]{escape(text)}[/]" if differs else text for text, differs in draw_words(sampling)]
    return [*words, pace]


def place(session: Session, seed: int | None, model: str) -> list[str]:
    """Return the text's model if it is not `model`, its seed, and which branch it is; as markup."""
    parts = [] if seed is None else [f"seed {seed}"]
    current = None if session.current is None else session.branches[session.current]
    if current is not None and current.tokens and current.model not in ("", model):
        parts.insert(0, f"by {escape(current.model)}")
    if session.current is not None and len(session.branches) > 1:
        number = list(session.branches).index(session.current) + 1
        parts.append(f"branch {number} of {len(session.branches)}")
    return parts


def subtitle(*parts: Sequence[str]) -> str:
    """Return the parts as one line."""
    return BETWEEN.join(part for some in parts for part in some)
