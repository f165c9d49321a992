"""Waiting for what the user would see, instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.pilot import Pilot

PATIENCE_S = 240.0  # another process may have both cores for a while; only a failure takes that long


async def wait_until(pilot: Pilot[None], condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Let the app work until `condition` holds. Fails when patience ends."""
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, "the app never came to it"
        await pilot.pause(0.01)
    await pilot.pause()
