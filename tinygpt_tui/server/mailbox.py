"""Events on their way from the scheduler's thread to one client's task."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence

from tinygpt_tui.generation.text import TextEvent

ROOM = 65_536  # events, 16 texts of 4096 tokens: who is further behind reads nothing at all


class Mailbox:
    """Putting never waits: a client that reads slowly gets more in one piece; who reads nothing is given up."""

    def __init__(self) -> None:
        """Belongs to the task in which it is made."""
        self._loop = asyncio.get_running_loop()
        self._events: deque[TextEvent] = deque()
        self._there = asyncio.Event()
        self._told = False
        self.overflowed = False
        self.when_full: Callable[[], None] = _nothing

    def put(self, events: Sequence[TextEvent]) -> None:
        """Add `events`, from any thread; `overflowed` says that they no longer fit."""
        if len(self._events) + len(events) > ROOM:
            self.overflowed = True
            self.when_full()
        else:
            self._events.extend(events)
        if not self._told:
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it who would read
                self._loop.call_soon_threadsafe(self._there.set)

    async def take(self) -> list[TextEvent]:
        """Wait until there is something, and return all of it."""
        await self._there.wait()
        self._there.clear()
        self._told = False  # before looking: what is put from now on tells again
        return [self._events.popleft() for _ in range(len(self._events))]


def _nothing() -> None:
    pass
