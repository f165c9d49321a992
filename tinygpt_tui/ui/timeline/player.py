"""Plays a time machine: from moment to moment, each shown for a while after its text is complete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tinygpt_tui.ui.timeline.time_machine import TimeMachine

# Seconds: few moments are shown for longer than many, so that a run takes about twenty, at most forty.
RUN_S, SHORTEST_S, LONGEST_S = 20.0, 1.0, 3.0


def seconds_each(moments: int) -> float:
    """Return for how long each of N complete texts is shown."""
    return min(LONGEST_S, max(SHORTEST_S, RUN_S / max(1, moments)))


class Player:
    """Moves the machine while `run` is awaited; cancelling that pauses it."""

    def __init__(self, machine: TimeMachine, moved: Callable[[], None]) -> None:
        """`moved` is called after each move."""
        self._machine, self._moved = machine, moved
        self.complete = asyncio.Event()  # set while the shown text is the selected moment's and complete

    async def run(self) -> None:
        """Play until the last moment's text is complete; at the last one, start with the first."""
        if self._machine.at_end and self._machine.move(-len(self._machine.moments)):
            self._moved()
        while True:
            await self.complete.wait()
            if self._machine.at_end:
                return
            await asyncio.sleep(seconds_each(len(self._machine.moments)))
            if self.complete.is_set() and self._machine.move(1):  # another prompt may have been typed meanwhile
                self._moved()
