"""Keys typed ahead wait for what they need: the screen that the key before them opens, and what a screen still reads.

Textual gives a key to the widget that has the focus when it arrives. If the key before it opens a dialog or another
tab, that has not happened yet, and on a busy machine or a slow line the key would go to the old screen. The first
picture is also there before the models are read: Enter would find neither a model nor the prompt that is filled in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from textual import events
from textual.app import App, ScreenStackError
from textual.dom import DOMNode, NoScreen

from tinygpt_tui.ui.shell.tab_screen import TabScreen

Typed = events.Key | events.Paste
PATIENCE_S = 2.0  # then the next key is passed on anyway: a key must never block the app
READING_S = 10.0  # the same, for what is read from the disk
LINE_END = "ctrl+j"  # what a terminal makes of Enter until the app has it


class KeyQueue:
    """Passes keys on: the first at once, each other one when the effects of the one before it are done."""

    def __init__(self, app: App[None], give: Callable[[events.Event], Awaitable[None]]) -> None:
        """`give` is how the app handles a key."""
        self._app, self._give = app, give
        self._waiting: deque[Typed] = deque()
        self._handing: asyncio.Task[None] | None = None
        self._is_start = True  # every key so far had to wait

    async def put(self, event: Typed) -> None:
        """Pass a key on, now or soon."""
        try:
            before, missing = self._target(), self._missing(event)
        except (NoScreen, ScreenStackError):
            return  # before the first screen, and after the last one, a key has no receiver
        if missing is None:
            self._is_start = False
        elif self._is_start and isinstance(event, events.Key) and event.key == LINE_END:
            event = events.Key("enter", "\r")
        if self._handing is not None:
            self._waiting.append(event)
            return
        if missing is None:
            await self._give(event)
        else:
            self._waiting.append(event)
        self._handing = asyncio.create_task(self._hand_on(before))

    async def _hand_on(self, before: DOMNode) -> None:
        try:
            await self._drain(before)
            while self._waiting:
                await self._until_there(self._waiting[0])
                before = self._target()
                await self._give(self._waiting.popleft())
                await self._drain(before)
        except (NoScreen, ScreenStackError):
            self._waiting.clear()  # the app ends
        except Exception as error:
            self._app._handle_exception(error)
        finally:
            self._handing = None

    def _target(self) -> DOMNode:
        return self._app.focused or self._app.screen

    def _missing(self, event: Typed) -> asyncio.Event | None:
        screen = self._app.screen
        return screen.missing_for(event) if isinstance(screen, TabScreen) else None

    async def _until_there(self, event: Typed) -> None:
        """Wait until the tab has all that a key needs; if that takes too long, no later key waits for the same."""
        while (missing := self._missing(event)) is not None:
            try:
                await asyncio.wait_for(missing.wait(), READING_S)
            except TimeoutError:
                missing.set()

    async def _drain(self, target: DOMNode) -> None:
        """Wait until a key has bubbled up from `target` to the app, and for the screens that it opened."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                for node in target.ancestors_with_self:
                    await _behind(node)
                seen = None
                while self._app.screen is not seen:
                    seen = self._app.screen
                    await _behind(seen)
                    await _behind(self._app)


async def _behind(node: DOMNode) -> None:
    """Return when a node has handled all its messages so far; at once if it is gone."""
    done = asyncio.Event()
    if node.call_later(done.set):
        await done.wait()
