"""The ways of generating that are compared, each a turn that can be timed, for one size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.generation.base import BatchEngine, Engine
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.sampler import Sampler, draw_each
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.measuring import hugging_face
from tinygpt_tui.measuring.naive import NaiveGPT
from tinygpt_tui.measuring.report import Base
from tinygpt_tui.measuring.sizes import BATCH, FULL, INSIDE, TEXTS, Size, Where
from tinygpt_tui.native.engine import NativeBatchEngine, NativeEngine
from tinygpt_tui.native.library import BUILD, Library, load_library
from tinygpt_tui.native.weights import NativeWeights, arrange
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.sampling import SamplingSettings, Weights
from tinygpt_tui.settings.windows import Policy, retained_after

Generator = Callable[[list[int], int], Iterator[int]]  # (ids, count) -> count new ids, one by one
NAIVE, HUGGING_FACE = "naive", "Hugging Face"
NOT_BUILT = f"not built: {BUILD}"
_SPREAD_OF_WEIGHTS = 0.1  # nanoGPT's 0.02 writes one token for ever when greedy: no test of anything
_AS_AN_APP = SamplingSettings(temperature=1.0, seed=1)


@dataclass(frozen=True)
class Variant:
    """One row to be: `turn(seconds)` generates for at least so long and returns tokens/s; None with `note`'s reason.

    `tokens` is what the shortest turn writes of one text.
    """

    where: Where
    name: str
    tokens: int
    turn: Callable[[float], float] | None
    base: Base | None = None
    of: str = ""  # the way in the same or another place that `base` means
    wanted: float | None = None
    wanted_to_hugging_face: float | None = None
    note: str = ""


@dataclass
class Nets:
    """The same random weights in every form, made when asked for and shared by what needs them."""

    size: Size
    library: Library | None = field(default_factory=load_library)

    def __post_init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.naive = NaiveGPT(self.size.settings).eval()
            self.model = self._with_weights(self.size.settings, self.naive)
        self._native: dict[tuple[bool, Weights], NativeWeights] = {}
        self._sliding: LanguageModel | None = None

    @property
    def sliding(self) -> LanguageModel:
        """A net of the same size whose positions are relative and whose attention slides, with weights of its own."""
        if self._sliding is None:
            settings = msgspec.structs.replace(self.size.settings, positions="rotary", sliding=True)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                self._sliding = self._with_weights(settings, None)
        return self._sliding

    def torch_engine(self, policy: Policy) -> Engine:
        """An engine of torch's; `rolling` is the sliding net's."""
        return TorchEngine(self._for(policy), policy)

    def torch_batch(self) -> BatchEngine:
        """TEXTS texts at once by torch."""
        return SlotBatchEngine(self.model, TEXTS, "exact")

    def native_engine(self, policy: Policy, weights: Weights = "fp32") -> NativeEngine:
        """A native engine; `rolling` is the sliding net's."""
        return NativeEngine(self._arranged(policy == "rolling", weights), self.library, policy=policy)

    def native_batch(self) -> BatchEngine:
        """TEXTS texts at once by the native engine."""
        return NativeBatchEngine(self._arranged(False, "fp32"), self.library, texts=TEXTS, policy="exact")

    def _for(self, policy: Policy) -> LanguageModel:
        return self.sliding if policy == "rolling" else self.model

    def _arranged(self, sliding: bool, precision: Weights) -> NativeWeights:
        if (sliding, precision) not in self._native:
            model = self.sliding if sliding else self.model
            settings: GPTSettings = model.settings  # type: ignore[assignment]
            state = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
            self._native[sliding, precision] = arrange(settings, state, self.size.name, precision=precision)
        return self._native[sliding, precision]

    def _with_weights(self, settings: GPTSettings, like: NaiveGPT | None) -> LanguageModel:
        """Build the package's own net with the weights of `like` (in its memory), or with new ones."""
        model = build(settings).eval()
        source = model if like is None else like
        with torch.no_grad():
            for parameter in source.parameters():
                parameter.normal_(std=_SPREAD_OF_WEIGHTS)
        if like is not None:
            model.load_state_dict(like.state_dict(), assign=True)
            model.lm_head.weight = model.transformer["wte"].weight  # type: ignore[union-attr,index]
        return model


def write(engine: Engine, ids: Sequence[int], count: int, sampling: SamplingSettings = _AS_AN_APP) -> Iterator[int]:
    """Yield `count` ids after `ids` by an engine and the app's own draw."""
    sampler = Sampler(sampling)
    last = sampler.draw(engine.prefill(ids))
    yield last
    for _ in range(count - 1):
        last = sampler.draw(engine.step(last))
        yield last


def all_ways(nets: Nets) -> list[Variant]:
    """Return what is measured for one size, in the order of a round and of the table."""
    size, goals = nets.size, nets.size.goals
    prompt, window = _some_ids(size, size.prompt), _some_ids(size, size.settings.block_size)
    ways = [
        Variant(INSIDE, NAIVE, size.new, _whole_texts(nets.naive.generate, prompt, size.new)),
        _hugging_face(nets, prompt),
        Variant(
            INSIDE,
            "torch",
            size.new,
            _engine_texts(nets.torch_engine("exact"), prompt, size.new),
            "naive",
            NAIVE,
            goals.torch,
            goals.torch_hugging_face,
        ),
        *_native_ways(nets, INSIDE, size.new, goals.native),
        Variant(FULL, NAIVE, size.full, _whole_texts(nets.naive.generate, window, size.full)),
    ]
    for policy in _policies(size):
        count = _full_tokens(size, policy)
        goal = goals.exact if policy == "exact" else goals.moving
        turn = _steps(nets.torch_engine(policy), window, count)
        ways.append(Variant(FULL, f"torch, {policy}", count, turn, "naive", NAIVE, goal))
    for policy in _policies(size):
        goal = goals.exact if policy == "exact" else goals.moving
        ways += _native_ways(nets, FULL, _full_tokens(size, policy), goal, policy)
    if size.batch:
        batch: Base = "one at a time"
        prompts = [prompt] * TEXTS
        turn = _batches(nets.torch_batch(), prompts, size.new)
        ways.append(Variant(BATCH, "torch", size.new, turn, batch, "torch", goals.batch))
        native = _batches(nets.native_batch(), prompts, size.new) if nets.library else None
        note = "" if native else NOT_BUILT
        ways.append(Variant(BATCH, "native", size.new, native, batch, "native", goals.batch, note=note))
    return ways


def _policies(size: Size) -> tuple[Policy, ...]:
    return ("exact", "reanchor", "rolling") if size.moving else ("exact",)


def _full_tokens(size: Size, policy: Policy) -> int:
    """Return how many tokens a turn has at least."""
    if policy == "exact":
        return size.full
    # From one cut of reanchor to the next: a turn that ends between them would leave the slow one out.
    return size.settings.block_size - retained_after("reanchor", size.settings.block_size)


def _native_ways(
    nets: Nets, where: Where, tokens: int, goal: float | None, policy: Policy | None = None
) -> Iterator[Variant]:
    precisions: tuple[Weights, ...] = ("fp32", "int8")
    for weights in precisions:
        name = "native" if weights == "fp32" else "native int8"
        name = name if policy is None else f"{name}, {policy}"
        turn = None
        if nets.library:
            engine = nets.native_engine(policy or "exact", weights)
            ids = _some_ids(nets.size, nets.size.prompt if policy is None else nets.size.settings.block_size)
            turn = _engine_texts(engine, ids, tokens) if policy is None else _steps(engine, ids, tokens)
        # What is wanted is wanted of exact weights.
        wanted = goal if weights == "fp32" else None
        yield Variant(where, name, tokens, turn, "naive", NAIVE, wanted, note="" if turn else NOT_BUILT)


def _hugging_face(nets: Nets, prompt: list[int]) -> Variant:
    size = nets.size
    if note := hugging_face.why_not():
        return Variant(INSIDE, HUGGING_FACE, size.new, None, "naive", NAIVE, note=note)
    net = hugging_face.HuggingFaceGPT2(size.settings, nets.naive.state_dict())
    return Variant(INSIDE, HUGGING_FACE, size.new, _whole_texts(net.generate, prompt, size.new), "naive", NAIVE)


def _whole_texts(generate: Generator, ids: list[int], count: int) -> Callable[[float], float]:
    """Time texts from their prompts on."""

    def turn(seconds: float) -> float:
        written, began = 0, time.perf_counter()
        while True:
            for _ in generate(ids, count):
                written += 1
            taken_s = time.perf_counter() - began
            if taken_s >= seconds:
                return written / taken_s

    return turn


def _engine_texts(engine: Engine, ids: list[int], count: int) -> Callable[[float], float]:
    return _whole_texts(lambda ids, count: write(engine, ids, count), ids, count)


def _steps(engine: Engine, ids: list[int], count: int) -> Callable[[float], float]:
    """Time steps behind a window that `ids` fill; reading these is not counted."""

    def turn(seconds: float) -> float:
        sampler = Sampler(_AS_AN_APP)
        last = sampler.draw(engine.prefill(ids))
        written, began = 0, time.perf_counter()
        while True:
            for _ in range(count):
                last = sampler.draw(engine.step(last))
            written += count
            taken_s = time.perf_counter() - began
            if taken_s >= seconds:
                return written / taken_s

    return turn


def _batches(engine: BatchEngine, prompts: list[list[int]], count: int) -> Callable[[float], float]:
    """Time texts side by side; the tokens of all count."""

    def turn(seconds: float) -> float:
        written, began = 0, time.perf_counter()
        while True:
            samplers = [Sampler(_AS_AN_APP) for _ in prompts]
            engine.keep_rows([])
            last = _drawn(samplers, engine.join(prompts))
            for _ in range(count - 1):
                last = _drawn(samplers, engine.step(last))
            written += count * len(prompts)
            taken_s = time.perf_counter() - began
            if taken_s >= seconds:
                return written / taken_s

    return turn


def _drawn(samplers: list[Sampler], logits: NDArray[np.float32]) -> list[int]:
    """Return an id for each row of logits (B, V)."""
    return [id for id in draw_each(samplers, logits) if isinstance(id, int)]


def _some_ids(size: Size, count: int) -> list[int]:
    return [int(id) for id in np.random.default_rng(0).integers(size.settings.vocab_size, size=count)]
