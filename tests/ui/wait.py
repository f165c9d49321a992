"""The app in use: what the user sees, and waiting for that instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from textual.app import App
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


def shown(app: App[Any]) -> str:
    """All characters on the screen, line by line."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


class AppInUse:
    """The app, its keyboard, and what is on its screen."""

    def __init__(self, app: App[Any], pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def shown(self) -> str:
        return shown(self.app)

    @property
    def notes(self) -> str:
        return "\n".join(note.message for note in self.app._notifications)

    async def until(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        await wait_until(self.pilot, condition, patience_s)

    async def sees(self, *texts: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until all of `texts` are on the screen."""
        await self.until(lambda: all(text in self.shown for text in texts), patience_s)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
