"""A queue of events from the scheduler's thread to one client's task."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence

from tinygpt_tui.generation.text import TextEvent

ROOM = 65_536  # events, 16 texts of 4096 tokens: a client that is further behind is not reading


class Mailbox:
    """Putting never waits: a slow client gets more in one piece, one that does not read is dropped."""

    def __init__(self) -> None:
        """Create it in the task that will read it."""
        self._loop = asyncio.get_running_loop()
        self._events: deque[TextEvent] = deque()
        self._there = asyncio.Event()
        self._notified = False
        self.overflowed = False
        self.when_full: Callable[[], None] = _nothing

    def put(self, events: Sequence[TextEvent]) -> None:
        """Add `events`, from any thread; `overflowed` says that they no longer fit."""
        if len(self._events) + len(events) > ROOM:
            self.overflowed = True
            self.when_full()
        else:
            self._events.extend(events)
        if not self._notified:
            self._notified = True
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the client with it
                self._loop.call_soon_threadsafe(self._there.set)

    async def receive(self) -> list[TextEvent]:
        """Wait for events, and return all there are."""
        await self._there.wait()
        self._there.clear()
        self._notified = False  # before reading: what is put from now on notifies again
        return [self._events.popleft() for _ in range(len(self._events))]


def _nothing() -> None:
    pass
