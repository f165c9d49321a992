"""Carries the engine's events to whoever listens, one message a batch."""

from __future__ import annotations

from textual.message_pump import MessagePump

from tinygpt_tui.ui.engine import Engine
from tinygpt_tui.ui.messages import EngineBatch


class Bridge:
    """Reads an engine's batches and posts each to every listener."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listeners: list[MessagePump] = []

    def listen(self, pump: MessagePump) -> None:
        """Have every later batch posted to `pump`."""
        self._listeners.append(pump)

    async def carry(self) -> None:
        """Start the engine and carry its batches, until cancelled."""
        await self._engine.start()
        async for events in self._engine.batches():
            for pump in self._listeners:
                pump.post_message(EngineBatch(events))
