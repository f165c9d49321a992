"""One generation as the screen sees it: where it stands, in numbers and words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, GenerationStarted, Token

Phase = Literal["idle", "starting", "reading", "writing", "stopping", "ended"]
BUSY: tuple[Phase, ...] = ("starting", "reading", "writing", "stopping")


class Writing:
    """Counts a job's events. `phase` is `starting` while the engine process still gets ready; a new one a request."""

    def __init__(self, phase: Phase = "idle", clock: Callable[[], float] = time.monotonic) -> None:
        self.phase = phase
        self._clock = clock
        self.job: int | None = None
        self.tokens = 0
        self.block_size = 0
        self.seed: int | None = None
        self.seconds_to_first: float | None = None
        self.reason = ""
        self._asked_at = self._first_at = clock()
        self._tokens_per_s: float | None = None

    @property
    def busy(self) -> bool:
        """Whether text may still come."""
        return self.phase in BUSY

    @property
    def waited_s(self) -> float:
        """How long ago it was asked for."""
        return self._clock() - self._asked_at

    @property
    def tokens_per_s(self) -> float | None:
        """The speed after the first token; None until it can be told."""
        if self._tokens_per_s is not None:
            return self._tokens_per_s
        passed = self._clock() - self._first_at
        return (self.tokens - 1) / passed if self.tokens > 1 and passed > 0.1 else None

    def engine_is_ready(self) -> None:
        """The process that was awaited has come."""
        if self.phase == "starting":
            self.phase = "reading"

    def stop(self) -> None:
        """A stop was asked for."""
        if self.busy:
            self.phase = "stopping"

    def take(self, event: GenerationEvent) -> str:
        """Count one event of this job; return its text."""
        match event:
            case GenerationStarted():
                self.block_size, self.seed = event.block_size, event.seed
                self.engine_is_ready()
                return ""
            case Token():
                if not self.tokens:
                    self._first_at = self._clock()
                    self.seconds_to_first = self._first_at - self._asked_at
                self.tokens += 1
                if self.phase != "stopping":
                    self.phase = "writing"
                return event.text
            case GenerationEnded():
                self._end(event)
                return event.text
        return ""

    def _end(self, event: GenerationEnded) -> None:
        self.phase = "ended"
        self.seconds_to_first = event.seconds_to_first or self.seconds_to_first
        after_first = event.seconds - (event.seconds_to_first or 0.0)
        if event.tokens > 1 and after_first > 0:
            self._tokens_per_s = (event.tokens - 1) / after_first
        self.reason = {
            "length": f"reached {self.tokens} tokens",
            "stop text": "met the stop text",
            "stopped": "stopped",
            "failed": f"failed: {event.message}",
        }[event.reason]
