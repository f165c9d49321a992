"""What the app needs of an engine process; `workers.client.EngineClient` is one, the tests' fake another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from tinygpt_tui.events.generation import GenerationEvent
from tinygpt_tui.events.requests import Gain
from tinygpt_tui.settings.sampling import SamplingSettings

GOODBYE_S = 2.0


class Engine(Protocol):
    """Requests go in by methods; events come out in batches."""

    @property
    def pid(self) -> int | None:
        """The process's number while it lives."""
        ...

    async def start(self) -> None:
        """Start the process; returns before it is ready."""
        ...

    async def open(self, model: str) -> None:
        """Have the model at this path ready."""
        ...

    async def generate(
        self,
        model: str,
        prompt: str,
        sampling: SamplingSettings,
        *,
        candidates: int | None = None,
        untrained: bool = False,
        at_step: int | None = None,
        gains: Sequence[Gain] = (),
    ) -> int:
        """Begin a job; return its number. See events/requests.py."""
        ...

    async def explain(
        self,
        model: str,
        text: str,
        start: int,
        end: int,
        sampling: SamplingSettings,
        *,
        candidates: int = 10,
        untrained: bool = False,
    ) -> int:
        """Ask what the model thought of characters `start` to `end` of `text`; return the job's number."""
        ...

    async def compare(self, model: str, other: str) -> int:
        """Ask how far the weights of one model are from another's; return the job's number."""
        ...

    async def senses(self, model: str, text: str) -> int:
        """Ask for the senses of a text's tokens, of a backpack; return the job's number."""
        ...

    async def trace(self, model: str, text: str, *, untrained: bool = False) -> int:
        """Ask for each step of the forward pass over `text`; return the job's number."""
        ...

    async def stop(self, job: int) -> None:
        """End a job at its next token."""
        ...

    def batches(self) -> AsyncIterator[list[GenerationEvent]]:
        """Yield events in batches, for ever."""
        ...

    async def close(self, patience_s: float = GOODBYE_S) -> None:
        """End the process; kill it where it does not end within `patience_s`."""
        ...
