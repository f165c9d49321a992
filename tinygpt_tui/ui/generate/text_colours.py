"""What a written text is coloured by: how surprised the model was, where its tokens begin, or nothing."""

from __future__ import annotations

from typing import Literal

from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.surprise_index import Span, SurpriseIndex

ColouredBy = Literal["", "surprise", "token"]


class TextColours:
    """Gives a text the levels of its index."""

    def __init__(self, output: OutputText, index: SurpriseIndex) -> None:
        self._output, self._index = output, index
        self.by: ColouredBy = ""

    def draw(self) -> None:
        """Colour the whole text; it may have had other colours."""
        levels = {"surprise": self._index.levels, "token": self._index.cuts}.get(self.by)
        self._output.set_levels(levels, self.by or "surprise")

    def levels_changed(self, changed: Span | None) -> None:
        """Colour a part of the text again, if there are colours."""
        if changed is not None and self.by:
            self._output.levels_changed(*changed)
