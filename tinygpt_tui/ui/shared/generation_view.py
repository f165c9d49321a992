"""One generation as a screen shows it: the request and its progress, in numbers and words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from tinygpt_tui.events.generation import (
    Adapted,
    GenerationEnded,
    GenerationEvent,
    GenerationStarted,
    Token,
    learned_in_words,
)
from tinygpt_tui.ui.shared.context_window import ContextWindow

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

Phase = Literal["idle", "starting", "reading", "writing", "stopping", "ended"]
BUSY: tuple[Phase, ...] = ("starting", "reading", "writing", "stopping")


class Asked(NamedTuple):
    """A request as it can be repeated: the whole text the model is given, and how much of it is the prompt."""

    text: str
    prompt_end: int


class GenerationView:
    """Counts a job's events; a new one a request. In `starting` the engine process still gets ready."""

    def __init__(
        self, asked: Asked | None = None, phase: Phase = "idle", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.asked, self.phase = asked, phase
        self._clock = clock
        self.job: Job | None = None
        self.window = ContextWindow()
        self.tokens = 0
        self.seed: int | None = None
        self.policy, self.weights = "", "fp32"
        self.seconds_to_first: float | None = None
        self.reason = ""
        self.learned = ""  # what an adapting copy learned most
        self.read_share: float | None = None  # of the prompt that such a copy reads
        self.failed = self.paused = self.at_limit = False
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
        """The speed after the first token; None until it is known."""
        if self._tokens_per_s is not None:
            return self._tokens_per_s
        passed = self._clock() - self._first_at
        return (self.tokens - 1) / passed if self.tokens > 1 and passed > 0.1 else None

    def engine_is_ready(self) -> None:
        if self.phase == "starting":
            self.phase = "reading"

    def stop(self) -> None:
        """End at the next token."""
        if self.busy:
            self.phase = "stopping"
            if self.job is not None:
                self.job.stop()

    def apply_event(self, event: GenerationEvent, at: int) -> str:
        """Count one event; return its text, which will begin at offset `at`."""
        match event:
            case GenerationStarted():
                self.seed = event.seed
                self.policy, self.weights = event.window, event.weights
                text = self.asked.text if self.asked else ""
                self.window.begin(text, event.prompt_tokens, event.block_size, event.unknown)
                self.engine_is_ready()
                return ""
            case Token():
                self._count(at, event.context_used)
                return event.text
            case Adapted():
                self.read_share = event.read / event.of
                self.learned = learned_in_words(event.words[0]) if event.words else ""
            case GenerationEnded():
                self._end(event)
                return event.text
        return ""

    def _count(self, at: int, context_used: int) -> None:
        if not self.tokens:
            self._first_at = self._clock()
            self.seconds_to_first = self._first_at - self._asked_at
        self.tokens += 1
        self.window.add(at, context_used)
        if self.phase != "stopping":
            self.phase = "writing"

    def _end(self, event: GenerationEnded) -> None:
        self.phase = "ended"
        self.failed, self.at_limit = event.reason == "failed", event.reason == "length"
        self.seconds_to_first = event.seconds_to_first or self.seconds_to_first
        after_first = event.seconds - (event.seconds_to_first or 0.0)
        if event.tokens > 1 and after_first > 0:
            self._tokens_per_s = (event.tokens - 1) / after_first
        self.reason = {
            "length": f"stopped at the {self.tokens:,}-token limit",
            "stop text": "stopped at the stop text",
            "blank line": "stopped at a blank line",
            "end of text": "ended the text",
            "stopped": "stopped",
            "failed": f"failed: {event.message}",
        }[event.reason]
        if self.learned and not self.failed:
            self.reason, self.at_limit = self.learned, False
