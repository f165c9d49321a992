"""What is selected in the Generate tab, for other tabs, and a place in a text there."""

from __future__ import annotations

from typing import NamedTuple

LONGEST = 20_000  # characters before a place that are read; no model sees as many


class Selection(NamedTuple):
    """A model by its path, untrained (initial weights) or not, and a prompt."""

    model: str
    untrained: bool
    prompt: str


class TextPlace(NamedTuple):
    """The character at `offset` of `text`, and the model that is to say how it comes to it."""

    model: str
    untrained: bool
    text: str
    offset: int

    @property
    def before(self) -> str:
        """The text from which the model predicts the character."""
        return self.text[max(0, self.offset - LONGEST) : self.offset]
