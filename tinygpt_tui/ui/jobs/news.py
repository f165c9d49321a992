"""What the engine says that belongs to no job: that it is ready, has a model open, or failed; one message a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message_pump import MessagePump

from tinygpt_tui.events.generation import GenerationEvent
from tinygpt_tui.ui.shared.message import Message

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Engine


class EngineNews(Message, bubble=False):
    """A batch of events that belong to no job."""

    events: list[GenerationEvent]


class NewsFeed:
    """Posts the engine's news to every listening screen."""

    def __init__(self, engine: Engine) -> None:
        self._listeners: list[MessagePump] = []
        engine.on_news = self._post

    def listen(self, pump: MessagePump) -> None:
        """Post all later news to `pump`."""
        self._listeners.append(pump)

    def leave(self, pump: MessagePump) -> None:
        """Post nothing more to `pump`."""
        self._listeners = [listener for listener in self._listeners if listener is not pump]

    def _post(self, events: list[GenerationEvent]) -> None:
        for pump in self._listeners:
            pump.post_message(EngineNews(events))
