"""Carries the engine's events to whoever listens, one message a batch."""

from __future__ import annotations

import asyncio

from textual.message_pump import MessagePump

from tinygpt_tui.events.generation import EngineFailed, EngineReady, GenerationEvent
from tinygpt_tui.ui.jobs.engine import Engine
from tinygpt_tui.ui.jobs.messages import EngineBatch
from tinygpt_tui.ui.jobs.pace import Pace


class Bridge:
    """Reads an engine's batches and posts them to every listener, several as one where drawing is slow."""

    def __init__(self, engine: Engine, pace: Pace | None = None) -> None:
        self._engine, self._pace = engine, pace or Pace()
        self._listeners: list[MessagePump] = []
        self._waiting: list[GenerationEvent] = []
        self._come = asyncio.Event()
        self.engine_is_ready = False  # for who begins to listen when that was said already

    def listen(self, pump: MessagePump) -> None:
        """Have every later batch posted to `pump`."""
        self._listeners.append(pump)

    def leave(self, pump: MessagePump) -> None:
        """Post nothing more to `pump`."""
        self._listeners = [listener for listener in self._listeners if listener is not pump]

    async def carry(self) -> None:
        """Start the engine and carry its batches, until cancelled."""
        await self._engine.start()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._read())
            both.create_task(self._post())

    async def _post(self) -> None:
        while True:
            await self._come.wait()
            while (rest_s := self._pace.rest_s()) > 0:  # what is read meanwhile costs, too
                await asyncio.sleep(rest_s)
            self._come.clear()
            events, self._waiting = self._waiting, []
            self._pace.begin()
            for pump in self._listeners:
                pump.post_message(EngineBatch(events))

    async def _read(self) -> None:
        async for events in self._engine.batches():
            for event in events:
                if isinstance(event, EngineReady | EngineFailed):
                    self.engine_is_ready = self._ready_after(event)
            self._waiting += events
            self._come.set()

    def _ready_after(self, event: EngineReady | EngineFailed) -> bool:
        # A model that could not be opened leaves the process alive.
        return isinstance(event, EngineReady) or (bool(event.model) and self.engine_is_ready)
