"""Which part of the text the model still sees: the place of each of its last tokens."""

from __future__ import annotations

from collections import deque


class ContextWindow:
    """Keeps where in the text each of the last `block_size` tokens begins."""

    def __init__(self) -> None:
        self.block_size = 0
        self._starts: deque[int] = deque()
        self._tokens = 0
        self._seen: int | None = None

    @property
    def used(self) -> int:
        """How many tokens are in the window."""
        return len(self._starts) if self._seen is None else min(self._seen, len(self._starts))

    @property
    def start(self) -> int:
        """The offset at which the text that the model sees begins; 0 while all of it is seen."""
        return self._starts[-self.used] if self._tokens > self.used > 0 else 0

    def begin(self, prompt: str, tokens: int, block_size: int, unknown: str = "") -> None:
        """Begin with a prompt of `tokens` tokens; characters in `unknown` are none.

        Where tokens are not characters, the places inside the prompt are estimated: evenly spaced.
        """
        self.block_size, self._tokens, self._seen = block_size, tokens, None
        places = [offset for offset, character in enumerate(prompt) if character not in unknown]
        if len(places) != tokens:
            places = [index * len(prompt) // tokens for index in range(tokens)]
        self._starts = deque(places, maxlen=block_size)

    def add(self, offset: int, context_used: int) -> None:
        """Take in a new token whose text begins at `offset`, drawn with `context_used` tokens in sight."""
        self._tokens += 1
        self._seen = min(context_used + 1, self.block_size)
        self._starts.append(offset)
