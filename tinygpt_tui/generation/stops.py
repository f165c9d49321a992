"""Ends a text at the first of its stop texts, and holds back what may be the start of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tinygpt_tui.settings.sampling import SamplingSettings

Found = Literal["stop text", "blank line"]

# An empty line: two line breaks with nothing between, in either way of writing them. A line of spaces is not empty.
BLANK_LINES = ("\n\n", "\r\n\r\n", "\n\r\n", "\r\n\n")


class Stops:
    """Text goes in piece by piece and comes out without the stop text and all that follows it.

    Of several that appear, the one that ends first counts; of those that end together, the longest. However the text
    is cut into pieces, the same comes out. Each character costs the same, whatever the stop texts are: they are
    followed all at once (Aho and Corasick 1975).
    """

    def __init__(self, texts: Sequence[str], blank_line: bool = False) -> None:
        """Empty texts are ignored; without any, nothing is held back and nothing ends."""
        self.found: Found | None = None
        self._held = ""
        self._place = 0  # in the tree of all beginnings; its depth is how much is held back
        self._next: list[dict[str, int]] = [{}]
        self._depth = [0]
        self._ends: list[tuple[int, Found] | None] = [None]  # the longest stop text that ends here
        for text in filter(None, texts):
            self._add(text, "stop text")
        for text in BLANK_LINES if blank_line else ():
            self._add(text, "blank line")
        self._shorter = self._link()
        self._firsts = frozenset(self._next[0])

    @classmethod
    def of(cls, sampling: SamplingSettings) -> Stops | None:
        """Return the stops of these settings; None if they have none."""
        if not (any(sampling.stop) or sampling.stop_at_blank_line):
            return None
        return cls(sampling.stop, sampling.stop_at_blank_line)

    def push(self, text: str) -> str:
        """Return what can be shown now; `found` says if a stop text is complete."""
        if not self._place and self._firsts.isdisjoint(text):
            return text
        self._held += text
        place, following, shorter = self._place, self._next, self._shorter
        for at, character in enumerate(text, start=len(self._held) - len(text) + 1):
            while place and character not in following[place]:
                place = shorter[place]
            place = following[place].get(character, 0)
            ended = self._ends[place]
            if ended is not None:
                length, self.found = ended
                shown, self._held, self._place = self._held[: at - length], "", 0
                return shown
        self._place = place
        cut = len(self._held) - self._depth[place]
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """Return what was held back and is not a stop text."""
        held, self._held, self._place = self._held, "", 0
        return held

    def _add(self, text: str, means: Found) -> None:
        place = 0
        for depth, character in enumerate(text, start=1):
            if character not in self._next[place]:
                self._next[place][character] = len(self._next)
                self._next.append({})
                self._depth.append(depth)
                self._ends.append(None)
            place = self._next[place][character]
        self._ends[place] = self._ends[place] or (len(text), means)

    def _link(self) -> list[int]:
        """Return for each place the one of the longest shorter beginning that ends the same way."""
        shorter = [0] * len(self._next)
        for place in (level := list(self._next[0].values())):
            for character, below in self._next[place].items():
                other = shorter[place]
                while other and character not in self._next[other]:
                    other = shorter[other]
                shorter[below] = self._next[other].get(character, 0)
                self._ends[below] = self._ends[below] or self._ends[shorter[below]]
                level.append(below)
        return shorter
