"""Events on their way through Textual."""

from __future__ import annotations

from textual.message import Message

from tinygpt_tui.events.generation import GenerationEvent


class EngineBatch(Message, bubble=False):
    """What the engine process said since the last batch; one message a batch, for each who listens and nobody above."""

    def __init__(self, events: list[GenerationEvent]) -> None:
        super().__init__()
        self.events = events
