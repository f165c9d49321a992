"""What is typed ahead goes where the key before it has led.

Textual gives a key to what has the focus when it comes. One that opens a dialog or another tab has then done nothing
yet, and what is typed right behind it, on a busy machine or a slow line, would go to what was there before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from textual import events
from textual.app import App, ScreenStackError
from textual.dom import DOMNode, NoScreen

Typed = events.Key | events.Paste
PATIENCE_S = 2.0  # then the next key goes on all the same: no key may be the last one


class KeyQueue:
    """Hands keys on: the first at once, each other one when what the one before it began is done."""

    def __init__(self, app: App[None], give: Callable[[events.Event], Awaitable[None]]) -> None:
        """`give` is what the app does with a key."""
        self._app, self._give = app, give
        self._waiting: deque[Typed] = deque()
        self._handing: asyncio.Task[None] | None = None

    async def take(self, event: Typed) -> None:
        """Hand a key on, now or soon."""
        if self._handing is not None:
            self._waiting.append(event)
            return
        try:
            before = self._target()
        except (NoScreen, ScreenStackError):
            return  # before the first screen, and after the last one, a key has no receiver
        await self._give(event)
        self._handing = asyncio.create_task(self._hand_on(before))

    async def _hand_on(self, before: DOMNode) -> None:
        try:
            await self._settle(before)
            while self._waiting:
                before = self._target()
                await self._give(self._waiting.popleft())
                await self._settle(before)
        except (NoScreen, ScreenStackError):
            self._waiting.clear()  # the app ends
        except Exception as error:
            self._app._handle_exception(error)
        finally:
            self._handing = None

    def _target(self) -> DOMNode:
        return self._app.focused or self._app.screen

    async def _settle(self, target: DOMNode) -> None:
        """Wait for a key on its way up from `target` to the app, and for the screens that it brought."""
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
    """Return when a node has dealt with all that it was sent so far; at once where it is gone."""
    done = asyncio.Event()
    if node.call_later(done.set):
        await done.wait()
