"""The senses of a text's tokens, and how far each is turned up or down. No Textual here."""

from __future__ import annotations

from typing import NamedTuple

from tinygpt_tui.events.generation import Sense, SensesSeen, SenseToken
from tinygpt_tui.events.requests import EVERY_TOKEN, Gain

FACTORS = (-2.0, -1.0, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # positions of the dial
PLAIN = 1.0


class SenseRow(NamedTuple):
    """One sense of the selected token; `own` is this token's dial, `every` the one of all tokens."""

    sense: Sense
    own: float
    every: float
    meant: float


class SenseDials:
    """The selected token and all dials; `for_every` selects which of a row's two dials is turned."""

    def __init__(self) -> None:
        self.seen: SensesSeen | None = None
        self.at = 0
        self.for_every = False
        self._factors: dict[tuple[int, int], float] = {}

    @property
    def token(self) -> SenseToken | None:
        """The selected token; None if the text has no token that the model knows."""
        return self.seen.tokens[self.at] if self.seen and self.seen.tokens else None

    @property
    def rows(self) -> list[SenseRow]:
        token = self.token
        if self.seen is None or token is None:
            return []
        return [
            SenseRow(sense, self.factor(token.id, place), self.factor(EVERY_TOKEN, place), token.meant[place])
            for place, sense in enumerate(self.seen.senses[token.id])
        ]

    @property
    def gains(self) -> tuple[Gain, ...]:
        """All turned dials, as a request to the engine has them."""
        return tuple((id, sense, factor) for (id, sense), factor in sorted(self._factors.items()))

    @property
    def turned(self) -> set[int]:
        return {id for id, _ in self._factors}

    def set_seen(self, seen: SensesSeen) -> None:
        """Set a text's tokens, and select the last one."""
        self.seen = seen
        self.at = max(0, len(seen.tokens) - 1)

    def go(self, at: int) -> bool:
        """Select another token; return whether it changed."""
        last = len(self.seen.tokens) - 1 if self.seen else 0
        before, self.at = self.at, min(max(at, 0), max(0, last))
        return self.at != before

    def factor(self, id: int, sense: int) -> float:
        return self._factors.get((id, sense), PLAIN)

    def turn(self, sense: int, by: int) -> bool:
        """Turn the dial of a sense `by` steps; return whether it moved."""
        token = self.token
        if token is None:
            return False
        now = FACTORS.index(self.factor(self._whose(token), sense))
        return self.set(sense, FACTORS[min(max(now + by, 0), len(FACTORS) - 1)])

    def set(self, sense: int, factor: float) -> bool:
        """Set the dial of a sense to `factor`; return whether it moved."""
        token = self.token
        if token is None:
            return False
        place = self._whose(token), sense
        before = self._factors.pop(place, PLAIN)
        if factor != PLAIN:
            self._factors[place] = factor
        return before != factor

    def level(self) -> bool:
        """Reset all dials; return whether one was turned."""
        turned = bool(self._factors)
        self._factors.clear()
        return turned

    def _whose(self, token: SenseToken) -> int:
        return EVERY_TOKEN if self.for_every else token.id


def first_difference(one: str, other: str) -> int | None:
    """Return where two texts first differ, if both are that long.

    >>> first_difference("to be", "to go"), first_difference("to b", "to be")
    (3, None)
    """
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return None
