"""What stands in for the engine process and for models in the tests of the app."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.events.generation import (
    Candidate,
    EngineFailed,
    EngineReady,
    Explained,
    GenerationEnded,
    GenerationEvent,
    GenerationStarted,
    Token,
    TokenProbabilities,
    TokenSeen,
)
from tinygpt_tui.events.requests import Gain, Trace
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.model_config import NativeConfig, TrainedOn
from tinygpt_tui.settings.sampling import SamplingSettings

BLOCK_SIZE = 16


class Asked(msgspec.Struct):
    """A request for text, as the fake engine got it."""

    job: int
    model: str
    prompt: str
    sampling: SamplingSettings
    candidates: int | None = None
    untrained: bool = False
    at_step: int | None = None
    gains: tuple[Gain, ...] = ()


class AskedWhy(msgspec.Struct):
    """A request for an explanation, as the fake engine got it."""

    job: int
    model: str
    text: str
    start: int
    end: int
    sampling: SamplingSettings
    candidates: int
    untrained: bool


class FakeEngine:
    """Takes requests down; a test says what comes back, and when."""

    def __init__(self, ready: bool = True) -> None:
        self.asked: list[Asked] = []
        self.asked_why: list[AskedWhy] = []
        self.asked_senses: list[tuple[int, str]] = []
        self.compared: list[tuple[str, str]] = []
        self.traced: list[Trace] = []
        self.opened: list[str] = []
        self.stopped: list[int] = []
        self.closed = False
        self._events: asyncio.Queue[list[GenerationEvent]] = asyncio.Queue()
        self._written: dict[int, int] = {}  # tokens by job
        self._prompt_tokens: dict[int, int] = {}
        if ready:
            self.say(EngineReady(pid=1, versions={}))

    @property
    def pid(self) -> int | None:
        return 1

    async def start(self) -> None:
        pass

    async def open(self, model: str) -> None:
        self.opened.append(model)

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
        job = self._next_job()
        self.asked.append(Asked(job, model, prompt, sampling, candidates, untrained, at_step, tuple(gains)))
        return job

    async def senses(self, model: str, text: str) -> int:
        job = self._next_job()
        self.asked_senses.append((job, text))
        return job

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
        job = self._next_job()
        self.asked_why.append(AskedWhy(job, model, text, start, end, sampling, candidates, untrained))
        return job

    async def compare(self, model: str, other: str) -> int:
        job = self._next_job()
        self.compared.append((model, other))
        return job

    async def trace(self, model: str, text: str, *, untrained: bool = False) -> int:
        job = self._next_job()
        self.traced.append(Trace(job, model, text, untrained))
        return job

    def _next_job(self) -> int:
        return len(self.asked) + len(self.asked_why) + len(self.compared) + len(self.traced) + 1

    async def stop(self, job: int) -> None:
        self.stopped.append(job)

    async def batches(self) -> AsyncIterator[list[GenerationEvent]]:
        while True:
            yield await self._events.get()

    async def close(self, patience_s: float = 0.0) -> None:
        self.closed = True

    def say(self, *events: GenerationEvent) -> None:
        """Have these events arrive as one batch."""
        self._events.put_nowait(list(events))

    def begin(
        self,
        *,
        seed: int = 7,
        unknown: str = "",
        step: int | None = None,
        loss: float | None = None,
        in_training: bool = False,
        job: int | None = None,
    ) -> None:
        """Begin a job: the last that was asked for, or `job`."""
        asked = self._of(job)
        self._written[asked.job] = 0
        known = sum(character not in unknown for character in asked.prompt)
        self._prompt_tokens[asked.job] = known
        self.say(GenerationStarted(asked.job, known, BLOCK_SIZE, seed, unknown, step, loss, in_training))

    def write(self, text: str, *, job: int | None = None) -> None:
        """Write characters of a job, a token each, in one batch."""
        number = self._of(job).job
        tokens: list[GenerationEvent] = []
        for character in text:
            written = self._written.get(number, 0)
            used = min(BLOCK_SIZE, self._prompt_tokens.get(number, 0) + written)
            tokens.append(Token(number, written, 0, character, used))
            self._written[number] = written + 1
        self.say(*tokens)

    def end(self, reason: str = "length", message: str = "", hint: str = "", *, job: int | None = None) -> None:
        """End a job."""
        number = self._of(job).job
        tokens = self._written.get(number, 0)
        self.say(GenerationEnded(number, reason, tokens, 2.0, 0.5, "", message, hint))  # type: ignore[arg-type]

    def _of(self, job: int | None) -> Asked:
        return self.asked[-1] if job is None else next(asked for asked in self.asked if asked.job == job)

    def explain_next(self) -> None:
        """Answer the question that was asked last: each character was the second likeliest, the less so the later."""
        asked = self.asked_why[-1]
        others = tuple(Candidate(id, text, 0.5 / 2**id) for id, text in enumerate("etaoinshrd"))
        seen = tuple(
            TokenSeen(
                place, place + 1, 0, TokenProbabilities(0.5 / 2 ** (place % 9), 2, 2.0, others) if place else None
            )
            for place in range(asked.start, asked.end)
        )
        self.say(Explained(asked.job, seen), GenerationEnded(asked.job, "length", 0, 0.1, None))

    def die(self) -> None:
        """Die, as the client reports it."""
        message, hint = "the engine process ended unexpectedly (signal 9)", "your text is safe"
        job = self.asked[-1].job
        self.say(GenerationEnded(job, "failed", 0, 0.0, None, "", message, hint), EngineFailed(message, hint))


def make_model(
    name: str, *, loss: float | None = 1.5, weights: bool = True, architecture: ArchitectureSettings | None = None
) -> Path:
    """Make a model folder that looks like one; there are no real weights in it."""
    folder = paths.models_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    trained = TrainedOn(corpus="a text", step=100, validation_loss=loss) if loss is not None else None
    config = NativeConfig(format=1, architecture=architecture or GPTSettings(), parameters=810_000, trained=trained)
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    (folder / "tokenizer.json").write_text(json.dumps({"name": "char", "characters": "abc"}))
    if weights:
        (folder / "weights.safetensors").write_bytes(b"weights")
    return folder
