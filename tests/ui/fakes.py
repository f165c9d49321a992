"""What stands in for the engine process and for models in the tests of the app."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import NativeConfig, TrainedOn
from tinygpt_tui.events.generation import (
    EngineFailed,
    EngineReady,
    GenerationEnded,
    GenerationEvent,
    GenerationStarted,
    Token,
)
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.sampling import SamplingSettings

BLOCK_SIZE = 16


class Asked(msgspec.Struct):
    """A request for text, as the fake engine got it."""

    job: int
    model: str
    prompt: str
    sampling: SamplingSettings


class FakeEngine:
    """Takes requests down; a test says what comes back, and when."""

    def __init__(self, ready: bool = True) -> None:
        self.asked: list[Asked] = []
        self.opened: list[str] = []
        self.stopped: list[int] = []
        self.closed = False
        self._events: asyncio.Queue[list[GenerationEvent]] = asyncio.Queue()
        self._written = 0
        if ready:
            self.say(EngineReady(pid=1, versions={}))

    @property
    def pid(self) -> int | None:
        return 1

    async def start(self) -> None:
        pass

    async def open(self, model: str) -> None:
        self.opened.append(model)

    async def generate(self, model: str, prompt: str, sampling: SamplingSettings) -> int:
        job = len(self.asked) + 1
        self.asked.append(Asked(job, model, prompt, sampling))
        return job

    async def stop(self, job: int) -> None:
        self.stopped.append(job)

    async def batches(self) -> AsyncIterator[list[GenerationEvent]]:
        while True:
            yield await self._events.get()

    async def close(self) -> None:
        self.closed = True

    def say(self, *events: GenerationEvent) -> None:
        """Have these events arrive as one batch."""
        self._events.put_nowait(list(events))

    def begin(self, *, seed: int = 7, unknown: str = "", step: int | None = None, loss: float | None = None) -> None:
        """Begin the last job that was asked for."""
        asked, self._written = self.asked[-1], 0
        known = sum(character not in unknown for character in asked.prompt)
        self.say(GenerationStarted(asked.job, known, BLOCK_SIZE, seed, unknown, step, loss))

    def write(self, text: str) -> None:
        """Write characters of the last job, a token each, in one batch."""
        tokens: list[GenerationEvent] = []
        for character in text:
            tokens.append(Token(self.asked[-1].job, self._written, 0, character, min(BLOCK_SIZE, self._written + 1)))
            self._written += 1
        self.say(*tokens)

    def end(self, reason: str = "length", message: str = "", hint: str = "") -> None:
        """End the last job."""
        job = self.asked[-1].job
        self.say(GenerationEnded(job, reason, self._written, 2.0, 0.5, "", message, hint))  # type: ignore[arg-type]

    def die(self) -> None:
        """Die, as the client reports it."""
        message, hint = "the engine process ended unexpectedly (signal 9)", "your text is safe"
        job = self.asked[-1].job
        self.say(GenerationEnded(job, "failed", 0, 0.0, None, "", message, hint), EngineFailed(message, hint))


def make_model(name: str, *, loss: float | None = 1.5, weights: bool = True) -> Path:
    """Make a model folder that looks like one; there are no real weights in it."""
    folder = paths.models_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    trained = TrainedOn(corpus="a text", step=100, validation_loss=loss) if loss is not None else None
    config = NativeConfig(format=1, architecture=GPTSettings(), parameters=810_000, trained=trained)
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    (folder / "tokenizer.json").write_text(json.dumps({"name": "char", "characters": "abc"}))
    if weights:
        (folder / "weights.safetensors").write_bytes(b"weights")
    return folder
