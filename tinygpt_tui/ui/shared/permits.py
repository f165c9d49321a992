"""How fast a text is written, and how many tokens that allows by now; no Textual here.

The engine does not run ahead: it draws as many tokens as it has permits for, and waits. So what is shown is what is
being drawn.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

FULL = math.inf
PACES: dict[str, float] = {"step": 0.0, "5": 5.0, "20": 20.0, "60": 60.0, "full": FULL}  # tokens per second
FIRST = 40.0  # of the first text that a user sees
LEAD_S = 0.1  # permits are at most that far ahead of what is shown: an answer takes a while


def name_of(rate: float) -> str:
    """Return the name in PACES of the fastest pace that is not faster.

    >>> name_of(40.0)
    '20'
    """
    return max((pace for pace in PACES.items() if pace[1] <= rate), key=lambda pace: pace[1])[0]


def neighbour(rate: float, direction: int) -> float:
    """Return the next faster (1) or slower (-1) pace, or `rate` itself at the end of the dial.

    >>> neighbour(40.0, 1), neighbour(0.0, -1)
    (60.0, 0.0)
    """
    others = [other for other in PACES.values() if (other > rate if direction > 0 else other < rate)]
    return (min(others) if direction > 0 else max(others)) if others else rate


def dial(rate: float, paused: bool) -> str:
    """Return the dial as it is shown.

    >>> dial(20.0, paused=False), dial(0.0, paused=False)
    ('┄┄●┄┄ 20/s', '●┄┄┄┄ step')
    """
    place = list(PACES).index(name_of(rate))
    words = f"{rate:.0f}/s" if 0 < rate < FULL else name_of(rate)
    return f"{'Ⅱ ' if paused else ''}{'┄' * place}●{'┄' * (len(PACES) - 1 - place)} {words}"


class Permits:
    """How many tokens of one text may be drawn by now: `due` says it whenever the time has come for more."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` in tokens per second; 0: only by `step`."""
        self.paused = False
        self._rate, self._clock = rate, clock
        self._shown = 0
        self._credit = 1.0 if rate else 0.0  # tokens, with the part of the next one that has passed
        self._at = clock()
        self.allowed = self._whole()  # None: any number

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self._rate

    @property
    def waiting(self) -> bool:
        """Whether nothing is drawn without `step`."""
        return self.paused or not self._rate

    def set_rate(self, rate: float) -> None:
        """Continue at another pace; what is allowed already stays."""
        self._restart(self.allowed or 0)
        self._rate = rate
        self.allowed = self._whole()

    def pause(self, paused: bool) -> None:
        """Draw nothing more, or continue."""
        self._restart()
        self.paused = paused
        self.allowed = self._whole()

    def step(self) -> None:
        self._credit = max(math.floor(self._credit), self._shown) + 1.0
        self.allowed = self._whole()

    def shown(self, tokens: int) -> None:
        self._shown = tokens
        if self.allowed is None:
            self._credit = tokens

    def due(self) -> int | None:
        """Return how many tokens are allowed by now; None: any number."""
        now = self._clock()
        if not self.waiting and self._rate < FULL:
            earned = self._credit + self._rate * (now - self._at)
            self._credit = max(self._credit, min(earned, self._shown + 1 + self._rate * LEAD_S))
        self._at, self.allowed = now, self._whole()
        return self.allowed

    def _restart(self, allowed: int = 0) -> None:
        self._credit, self._at = float(max(self._shown, allowed)), self._clock()

    def _whole(self) -> int | None:
        return None if self._rate == FULL and not self.paused else math.floor(self._credit)
