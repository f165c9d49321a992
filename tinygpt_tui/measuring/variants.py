"""The ways of generating that are compared, each a turn that can be timed, for one size."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.generation.base import BatchEngine, Engine
from tinygpt_tui.generation.sampler import Sampler, draw_each
from tinygpt_tui.measuring.hugging_face import HuggingFaceGPT2
from tinygpt_tui.measuring.nets import PRECISIONS, Nets, not_installed
from tinygpt_tui.measuring.report import Base
from tinygpt_tui.measuring.sizes import BATCH, FULL, INSIDE, LLAMA, TEXTS, Size, Where
from tinygpt_tui.native.library import BUILD
from tinygpt_tui.settings.sampling import SamplingSettings, Weights
from tinygpt_tui.settings.windows import Policy, retained_after

Generator = Callable[[list[int], int], Iterator[int]]  # (ids, count) -> count new ids, one by one
NAIVE, HUGGING_FACE = "naive", "Hugging Face"
NATIVE: dict[Weights, str] = {"fp32": "native", "int8": "native int8"}
LLAMA_CPP: dict[Weights, Base] = {"fp32": "llama.cpp", "int8": "llama.cpp Q8_0"}
NOT_BUILT = f"not built: {BUILD}"
_AS_AN_APP = SamplingSettings(temperature=1.0, seed=1)


@dataclass(frozen=True)
class Variant:
    """One row to be: `turn(seconds)` generates for at least so long and returns tokens/s; None with `note`'s reason.

    Seconds are the processor's, so that other programs on the core count little. `tokens` is what the shortest turn
    writes of one text.
    """

    where: Where
    name: str
    tokens: int
    turn: Callable[[float], float] | None
    base: Base | None = None
    of: str = ""  # the way in the same or another place that `base` means
    wanted: float | None = None
    note: str = ""


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
    torch = _engine_texts(nets.torch_engine("exact"), prompt, size.new)
    ways = [
        Variant(INSIDE, NAIVE, size.new, _whole_texts(nets.naive.generate, prompt, size.new)),
        _hugging_face(nets, prompt),
        Variant(INSIDE, "torch", size.new, torch, "naive", NAIVE),
        *_native_ways(nets, INSIDE, size.new, goals.inside),
        *_llama_ways(nets, prompt),
        Variant(FULL, NAIVE, size.full, _whole_texts(nets.naive.generate, window, size.full)),
    ]
    for policy in _policies(size):
        count = _full_tokens(size, policy)
        turn = _steps(nets.torch_engine(policy), window, count)
        ways.append(Variant(FULL, f"torch, {policy}", count, turn, "naive", NAIVE))
    for policy in _policies(size):
        goal = goals.exact if policy == "exact" else goals.moving
        ways += _native_ways(nets, FULL, _full_tokens(size, policy), goal, policy)
    if size.batch:
        prompts = [prompt] * TEXTS
        turn = _batches(nets.torch_batch(), prompts, size.new)
        ways.append(Variant(BATCH, "torch", size.new, turn, "one at a time", "torch"))
        native = _batches(nets.native_batch(), prompts, size.new) if nets.library else None
        note = "" if native else NOT_BUILT
        ways.append(Variant(BATCH, "native", size.new, native, "one at a time", "native", note=note))
    return ways


def _policies(size: Size) -> tuple[Policy, ...]:
    return ("exact", "reanchor", "rolling") if size.moving else ("exact",)


def _full_tokens(size: Size, policy: Policy) -> int:
    if policy == "exact":
        return size.full
    # From one cut of reanchor to the next: a turn that ends between them would leave the slow one out.
    return size.settings.block_size - retained_after("reanchor", size.settings.block_size)


def _native_ways(
    nets: Nets, where: Where, tokens: int, goal: float | None, policy: Policy | None = None
) -> Iterator[Variant]:
    for weights in PRECISIONS:
        name = NATIVE[weights] if policy is None else f"{NATIVE[weights]}, {policy}"
        turn = None
        if nets.library:
            engine = nets.native_engine(policy or "exact", weights)
            ids = _some_ids(nets.size, nets.size.prompt if policy is None else nets.size.settings.block_size)
            turn = _engine_texts(engine, ids, tokens) if policy is None else _steps(engine, ids, tokens)
        # What is wanted is wanted of exact weights.
        wanted = goal if weights == "fp32" else None
        yield Variant(where, name, tokens, turn, "naive", NAIVE, wanted, note="" if turn else NOT_BUILT)


def _llama_ways(nets: Nets, prompt: list[int]) -> Iterator[Variant]:
    size = nets.size
    for weights, base in LLAMA_CPP.items():
        theirs = nets.llama_cpp.get(weights)
        speed = functools.partial(theirs.speed, prompt, size.new) if theirs else None
        yield Variant(LLAMA, base, size.new, speed, note=nets.no_llama_cpp)
    for weights, base in LLAMA_CPP.items():
        name, turn, note = NATIVE[weights], None, NOT_BUILT
        if nets.library:
            turn, note = _engine_texts(nets.native_engine("exact", weights, "llama"), prompt, size.new), ""
        yield Variant(LLAMA, name, size.new, turn, base, base, size.goals.llama_cpp, note=note)


def _hugging_face(nets: Nets, prompt: list[int]) -> Variant:
    size = nets.size
    if note := not_installed("transformers"):
        return Variant(INSIDE, HUGGING_FACE, size.new, None, "naive", NAIVE, note=note)
    net = HuggingFaceGPT2(size.settings, nets.naive.state_dict())
    return Variant(INSIDE, HUGGING_FACE, size.new, _whole_texts(net.generate, prompt, size.new), "naive", NAIVE)


def _whole_texts(generate: Generator, ids: list[int], count: int) -> Callable[[float], float]:
    """Time texts from their prompts on."""

    def turn(seconds: float) -> float:
        written, began = 0, time.process_time()
        while True:
            for _ in generate(ids, count):
                written += 1
            taken_s = time.process_time() - began
            if taken_s > seconds:
                return written / taken_s

    return turn


def _engine_texts(engine: Engine, ids: list[int], count: int) -> Callable[[float], float]:
    return _whole_texts(lambda ids, count: write(engine, ids, count), ids, count)


def _steps(engine: Engine, ids: list[int], count: int) -> Callable[[float], float]:
    """Time steps behind a window that `ids` fill; reading these is not counted."""

    def turn(seconds: float) -> float:
        sampler = Sampler(_AS_AN_APP)
        last = sampler.draw(engine.prefill(ids))
        written, began = 0, time.process_time()
        while True:
            for _ in range(count):
                last = sampler.draw(engine.step(last))
            written += count
            taken_s = time.process_time() - began
            if taken_s > seconds:
                return written / taken_s

    return turn


def _batches(engine: BatchEngine, prompts: list[list[int]], count: int) -> Callable[[float], float]:
    """Time texts side by side; the tokens of all count."""

    def turn(seconds: float) -> float:
        written, began = 0, time.process_time()
        while True:
            samplers = [Sampler(_AS_AN_APP) for _ in prompts]
            engine.keep_rows([])
            last = _drawn(samplers, engine.join(prompts))
            for _ in range(count - 1):
                last = _drawn(samplers, engine.step(last))
            written += count * len(prompts)
            taken_s = time.process_time() - began
            if taken_s > seconds:
                return written / taken_s

    return turn


def _drawn(samplers: list[Sampler], logits: NDArray[np.float32]) -> list[int]:
    """Return an id for each row of logits (B, V)."""
    return [id for id in draw_each(samplers, logits) if isinstance(id, int)]


def _some_ids(size: Size, count: int) -> list[int]:
    return [int(id) for id in np.random.default_rng(0).integers(size.settings.vocab_size, size=count)]
