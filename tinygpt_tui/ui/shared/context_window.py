"""Which part of the text the model sees: at its end, and where each token was drawn."""

from __future__ import annotations

from array import array
from bisect import bisect_right


class ContextWindow:
    """Keeps where in the text each token begins, and how many tokens were in sight when it was drawn: 16 bytes each."""

    def __init__(self) -> None:
        self.block_size = 0
        self._starts, self._contexts = array("q"), array("q")
        self._seen: int | None = None

    @property
    def used(self) -> int:
        held = min(len(self._starts), self.block_size)
        return held if self._seen is None else min(self._seen, held)

    @property
    def start(self) -> int:
        """The offset at which the text that the model sees begins; 0 while all of it is seen."""
        return self._starts[-self.used] if len(self._starts) > self.used > 0 else 0

    def start_at(self, offset: int) -> int:
        """Return where the text begins that the model saw when it came to the character at `offset`."""
        token = bisect_right(self._starts, offset) - 1
        if not self.block_size or token <= 0 or self._contexts[token] >= token:
            return 0
        return self._starts[token - self._contexts[token]]

    def begin(self, prompt: str, tokens: int, block_size: int, unknown: str = "") -> None:
        """Begin with a prompt of `tokens` tokens; characters in `unknown` are none.

        Where tokens are not characters, the places inside the prompt are estimated: evenly spaced.
        """
        self.block_size, self._seen = block_size, None
        places = [offset for offset, character in enumerate(prompt) if character not in unknown]
        if len(places) != tokens:
            places = [index * len(prompt) // tokens for index in range(tokens)]
        self._starts = array("q", places)
        self._contexts = array("q", (min(index, block_size) for index in range(tokens)))

    def add(self, offset: int, context_used: int) -> None:
        """Take in a new token whose text begins at `offset`, drawn with `context_used` tokens in sight."""
        self._seen = min(context_used + 1, self.block_size)
        self._contexts.append(min(context_used, len(self._starts)))
        self._starts.append(offset)
