"""Waiting for what the user would see, instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from textual.pilot import Pilot

PATIENCE_S = 240.0  # another process may have both cores for a while; only a failure takes that long
EAGER_S = 0.3
REST_S = 0.05


async def wait_until(pilot: Pilot[None], condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Let the app work until `condition` holds. Fails when patience ends."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        assert waited < patience_s, "the app never came to it"
        if waited < EAGER_S:
            await pilot.pause(0.01)
        else:  # another process is waited for: a pause asks every widget, which would slow it down
            await asyncio.sleep(REST_S)
    await pilot.pause()
