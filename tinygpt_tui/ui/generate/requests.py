"""What can be generated from the text that is shown: a new text, more of it, the same again, another from a place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tinygpt_tui.ui.shared.generation_view import Asked

if TYPE_CHECKING:
    from tinygpt_tui.ui.generate.text_pane import TextPane


class Request(NamedTuple):
    """Text to generate: what the model is given, how its branch is made, and where it leaves another branch."""

    asked: Asked
    add_branch: Callable[..., int]  # (card, sampling settings, untrained=…)
    fork_at: int | None = None


def fresh(pane: TextPane, prompt: str) -> Request:
    """Return the request for a text that continues a prompt."""
    return Request(Asked(prompt, len(prompt)), partial(pane.editor.begin, prompt))


def continued(pane: TextPane) -> Request:
    """Return the request for more text after all that is shown."""
    return Request(Asked(pane.output.text, pane.output.prompt_end), pane.editor.go_on)


def retried(pane: TextPane) -> Request | None:
    """Return the last request again; None if there is none."""
    asked = pane.writing.asked
    return None if asked is None else Request(asked, partial(pane.editor.fork, len(asked.text), ""))


def forked(pane: TextPane, offset: int, text: str) -> Request:
    """Return the request for a text that has `text` at `offset` and continues from there."""
    asked = Asked(pane.output.text[:offset] + text, min(pane.output.prompt_end, offset))
    return Request(asked, partial(pane.editor.fork, offset, text), offset)
