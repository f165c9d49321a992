"""What stands in for the engine process and for models in the tests of the app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.errors import EngineError
from tinygpt_tui.events import wire
from tinygpt_tui.events.generation import (
    Candidate,
    EngineFailed,
    EngineReady,
    Explained,
    GenerationEnded,
    GenerationEvent,
    GenerationStarted,
    SamplingChanged,
    Token,
    TokenProbabilities,
    TokenSeen,
)
from tinygpt_tui.events.requests import (
    Allow,
    Attribute,
    ChangeSampling,
    CheckText,
    CompareWeights,
    Explain,
    Generate,
    LookAtSenses,
    OpenModel,
    Request,
    SaveCopy,
    StopJob,
    Trace,
)
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.model_config import NativeConfig, TrainedOn
from tinygpt_tui.settings.sampling import SamplingChange
from tinygpt_tui.workers.client import Engine, Listener

BLOCK_SIZE = 16


class ScriptedEnd:
    """The other end of a fake engine: takes requests down, as the engine process would read them."""

    pid = 1

    def __init__(self) -> None:
        self.receive: Listener = lambda _events: None
        self.requests: list[Request] = []
        self.broken: EngineError | None = None  # why it cannot be started
        self.closed = False

    async def start(self) -> None:
        if self.broken is not None:
            raise self.broken

    async def write(self, line: bytes) -> None:
        self.requests.append(wire.request(line))

    async def close(self, patience_s: float) -> None:
        self.closed = True


R = TypeVar("R", bound=Request)


class FakeEngine(Engine):
    """The app's engine with an end that a test speaks for: it says what comes back, and when."""

    def __init__(self, ready: bool = True) -> None:
        self.script = ScriptedEnd()
        super().__init__(self.script)
        self._written: dict[int, int] = {}  # tokens by job
        self._prompt_tokens: dict[int, int] = {}
        self._ready = ready

    async def launch(self) -> None:
        if self._ready:
            self.say(EngineReady(pid=1, versions={}))

    def _all(self, kind: type[R]) -> list[R]:
        return [request for request in self.script.requests if isinstance(request, kind)]

    @property
    def asked(self) -> list[Generate]:
        return self._all(Generate)

    @property
    def asked_to_save(self) -> list[SaveCopy]:
        return self._all(SaveCopy)

    @property
    def asked_why(self) -> list[Explain]:
        return self._all(Explain)

    @property
    def attributed(self) -> list[Attribute]:
        return self._all(Attribute)

    @property
    def checked(self) -> list[CheckText]:
        return self._all(CheckText)

    @property
    def asked_senses(self) -> list[LookAtSenses]:
        return self._all(LookAtSenses)

    @property
    def compared(self) -> list[CompareWeights]:
        return self._all(CompareWeights)

    @property
    def traced(self) -> list[Trace]:
        return self._all(Trace)

    @property
    def opened(self) -> list[str]:
        return [request.model for request in self._all(OpenModel)]

    @property
    def allowed(self) -> list[int | None]:
        """What was allowed after the requests, in order."""
        return [request.tokens for request in self._all(Allow)]

    @property
    def stopped(self) -> list[int]:
        return [request.job for request in self._all(StopJob)]

    @property
    def closed(self) -> bool:
        return self.script.closed

    def say(self, *events: GenerationEvent) -> None:
        """Have these events arrive as one batch."""
        self.script.receive(list(events))

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
        changed = [request for request in self._all(ChangeSampling) if request.job == number]
        change = SamplingChange.to(changed[-1].sampling, self._written.get(number, 0)) if changed else None
        tokens: list[GenerationEvent] = [] if change is None else [SamplingChanged(number, change)]
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

    def _of(self, job: int | None) -> Generate:
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
        self.say(EngineFailed(message, hint))


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
