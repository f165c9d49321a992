"""Where a text begins to repeat itself."""

from __future__ import annotations

from typing import NamedTuple

LONGEST = 20_000  # characters at the end that are searched for a repetition
LEAST = 12  # characters that must be repeated: a few dots are no loop


class Loop(NamedTuple):
    """From character `start` (counted from 0) to its end a text repeats the same `period` characters."""

    start: int
    period: int


def find_loop(text: str) -> Loop | None:
    """Return the repetition that a text ends with, that of the shortest period; None: it does not repeat itself.

    All characters of a period must be there twice at least.

    >>> find_loop("a king, and so on and so on and so on and")
    Loop(start=7, period=10)
    >>> find_loop("no repetition here")
    """
    end = text[-LONGEST:][::-1]
    same = _common_with_start(end)
    period = next((at for at in range(1, len(end)) if same[at] >= max(at, LEAST)), None)
    if period is None:
        return None
    start = len(text) - same[period] - period
    while start and text[start - 1] == text[start - 1 + period]:  # the search may have ended within the loop
        start -= 1
    return Loop(start, period)


def _common_with_start(text: str) -> list[int]:
    """Return how many characters from each place on are the same as from the start (the Z function)."""
    found = [0] * len(text)
    left = right = 0
    for at in range(1, len(text)):
        same = min(right - at, found[at - left]) if at < right else 0
        while at + same < len(text) and text[same] == text[at + same]:
            same += 1
        found[at] = same
        if at + same > right:
            left, right = at, at + same
    return found
