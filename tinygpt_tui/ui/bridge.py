"""Carries the engine's events to whoever listens, one message a batch."""

from __future__ import annotations

from textual.message_pump import MessagePump

from tinygpt_tui.events.generation import EngineFailed, EngineReady
from tinygpt_tui.ui.engine import Engine
from tinygpt_tui.ui.messages import EngineBatch


class Bridge:
    """Reads an engine's batches and posts each to every listener."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listeners: list[MessagePump] = []
        self.engine_is_ready = False  # for those who come to listen when it has been said

    def listen(self, pump: MessagePump) -> None:
        """Have every later batch posted to `pump`."""
        self._listeners.append(pump)

    async def carry(self) -> None:
        """Start the engine and carry its batches, until cancelled."""
        await self._engine.start()
        async for events in self._engine.batches():
            for event in events:
                if isinstance(event, EngineReady):
                    self.engine_is_ready = True
                elif isinstance(event, EngineFailed) and not event.model:
                    self.engine_is_ready = False
            for pump in self._listeners:
                pump.post_message(EngineBatch(events))
