"""Texts side by side are what each is alone, whatever their lengths, whenever they come, whichever of them go."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import CLASSIC, MODERN, VARIANTS, random_ids, random_model, tiny_gpt

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.base import JoiningEngine
from tinygpt_tui.generation.engine import open_torch_engine
from tinygpt_tui.generation.lean_batch import TorchBatchEngine
from tinygpt_tui.generation.lean_weights import lean_weights
from tinygpt_tui.generation.memory_batch import MemoryBatchEngine
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.windows import Policy

NewBatch = Callable[[LanguageModel, int, Policy], JoiningEngine]
Move = tuple[str, list[Any]]  # "join" texts, "step" ids, "keep" rows
ROOM = 5


def lean(model: LanguageModel, texts: int, policy: Policy) -> JoiningEngine:
    assert isinstance(model, GPT)
    return TorchBatchEngine(lean_weights(model), texts, policy)


BATCHES: dict[str, NewBatch] = {"lean": lean, "memory": MemoryBatchEngine}
both_batches = pytest.mark.parametrize("new_batch", BATCHES.values(), ids=BATCHES.keys())


def compare(model: LanguageModel, new_batch: NewBatch, policy: Policy, moves: list[Move]) -> None:
    """Make the moves with a batch, and with an engine for each text; the logits are the same, and so is the context."""
    batch, alone = new_batch(model, ROOM, policy), []
    for verb, what in moves:
        found: Any = ()
        wanted: Any = ()
        if verb == "join":
            newcomers = [open_torch_engine(model, policy) for _ in what]
            wanted = [engine.prefill(ids) for engine, ids in zip(newcomers, what, strict=True)]
            found, alone = batch.join(what), [*alone, *newcomers]
        elif verb == "step":
            wanted = [engine.step(id) for engine, id in zip(alone, what, strict=True)]
            found = batch.step(what)
            assert found.dtype == np.float32
        else:
            batch.keep(what)
            alone = [alone[row] for row in what]
        for mine, its in zip(found, wanted, strict=True):
            np.testing.assert_allclose(mine, its, rtol=0, atol=1e-4 * max(float(its.std()), 0.1))
        assert batch.contexts_used == [engine.context_used for engine in alone]


def policies(net: ArchitectureSettings) -> list[Policy]:
    return ["exact", "reanchor", "rolling"] if net.supports_sliding else ["exact", "reanchor"]


CASES: list[Any] = [
    pytest.param(net, kind, policy, id=f"{name}, {kind}, {policy}")
    for name, net in VARIANTS.items()
    for kind in BATCHES
    for policy in policies(net)
    if kind == "memory" or (isinstance(net, GPTSettings) and net.is_standard)
]


def story(size: int, seed: int) -> list[Move]:
    """Return a crowd's coming and going: short and long newcomers, full windows, nobody at all, and all again."""
    chance, left = random.Random(seed), 0
    moves: list[Move] = []

    def ids(count: int) -> list[int]:
        return [chance.randrange(size) for _ in range(count)]

    def join(*lengths: int) -> None:
        nonlocal left
        moves.append(("join", [ids(length) for length in lengths]))
        left += len(lengths)

    def step(count: int) -> None:
        moves.extend(("step", ids(left)) for _ in range(count))

    def keep(*rows: int) -> None:
        nonlocal left
        moves.append(("keep", list(rows)))
        left = len(rows)

    join(2), step(2), join(7, 1), step(3), join(30), step(1), join(8), step(4)
    keep(4, 0, 2), step(2), join(3, 3), step(9), keep(3, 1), step(1), keep(), join(1, 5), step(12), keep(1), step(2)
    return moves


@pytest.mark.parametrize(("net", "kind", "policy"), CASES)
def test_each_text_is_what_it_is_alone(net: ArchitectureSettings, kind: str, policy: Policy) -> None:
    compare(random_model(net), BATCHES[kind], policy, story(net.vocab_size, seed=1))


@st.composite
def stories(draw: Any) -> tuple[ArchitectureSettings, str, Policy, list[Move]]:
    """A net, and what happens to texts of any lengths."""
    net, kind, policy = draw(st.sampled_from([case.values for case in CASES]))
    id = st.integers(0, net.vocab_size - 1)
    left, moves = 0, []
    for _ in range(draw(st.integers(1, 20))):
        verb = draw(st.sampled_from(["step"] * 3 + ["join", "keep"])) if left else "join"
        if verb == "join":
            what: list[Any] = draw(st.lists(st.lists(id, min_size=1, max_size=20), max_size=ROOM - left))
            left += len(what)
        elif verb == "step":
            what = draw(st.lists(id, min_size=left, max_size=left))
        else:
            what = draw(st.permutations(range(left)))[: draw(st.integers(0, left))]
            left = len(what)
        moves.append((verb, what))
    return net, kind, policy, moves


@settings(max_examples=25, deadline=None)
@given(stories())
def test_texts_may_come_and_go_at_any_time(told: Any) -> None:
    net, kind, policy, moves = told
    compare(random_model(net), BATCHES[kind], policy, moves)


@both_batches
@pytest.mark.parametrize("policy", ["exact", "reanchor"])
def test_the_same_prompt_many_times(new_batch: NewBatch, policy: Policy) -> None:
    steps: list[Move] = [("step", random_ids(ROOM, seed=step)) for step in range(14)]
    compare(random_model(MODERN), new_batch, policy, [("join", [[1, 2, 3]] * ROOM), *steps])


def test_wide_nets_with_few_and_many_texts() -> None:
    net = tiny_gpt(n_embd=160, n_head=4, block_size=12, bias=True, qkv_bias=True, head_bias=True)
    model = random_model(net)
    for texts in (2, 17):
        batch, engines = lean(model, texts, "exact"), [open_torch_engine(model, "exact") for _ in range(texts)]
        prompts = [random_ids(1 + place % 5, seed=place) for place in range(texts)]
        found, wanted = (
            batch.prefill(prompts),
            [engine.prefill(ids) for engine, ids in zip(engines, prompts, strict=True)],
        )
        for step in range(15):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * float(np.std(wanted)))
            ids = random_ids(texts, seed=step)
            found, wanted = batch.step(ids), [engine.step(id) for engine, id in zip(engines, ids, strict=True)]


@both_batches
def test_a_batch_can_begin_again_with_other_texts(new_batch: NewBatch) -> None:
    model = random_model(MODERN)
    batch = new_batch(model, 3, "exact")
    batch.prefill([[1], [2, 3], [4] * 20])
    batch.step([5, 6, 7])
    batch.keep([1])
    found = [batch.prefill([[1, 2], [3]]), batch.step([4, 5])]
    for place, ids in enumerate(([1, 2], [3])):
        alone = open_torch_engine(model, "exact")
        np.testing.assert_allclose(found[0][place], alone.prefill(ids), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found[1][place], alone.step(4 + place), rtol=1e-4, atol=1e-4)
    assert batch.contexts_used == [3, 2]


@both_batches
def test_a_newcomer_who_cannot_be_read_leaves_the_others(new_batch: NewBatch) -> None:
    model = random_model(CLASSIC)
    batch, alone = new_batch(model, 3, "exact"), open_torch_engine(model, "exact")
    batch.join([[1, 2, 3]])
    alone.prefill([1, 2, 3])
    impossible: list[list[list[int]]] = [[[1], [2], [3]], [[1], []], [[13]], [[2], [-1]]]
    for texts in impossible:
        with pytest.raises(UsageError):
            batch.join(texts)
    np.testing.assert_allclose(batch.step([4])[0], alone.step(4), rtol=1e-4, atol=1e-4)


@both_batches
def test_numbers_that_are_none_stay_with_the_text_they_belong_to(new_batch: NewBatch) -> None:
    model = random_model(CLASSIC)
    weight: Any = model.transformer["wte"].weight  # type: ignore[union-attr,index]
    model.lm_head.weight = type(weight)(weight.detach().clone())  # type: ignore[union-attr]
    weight.data[0] = float("nan")
    batch = new_batch(model, 3, "exact")
    batch.join([[1, 2, 3, 4, 5]])
    assert np.isnan(batch.join([[0] * 6])).all()
    healthy, broken = batch.step([3, 3])
    assert np.isfinite(healthy).all()
    assert np.isnan(broken).all()
    batch.keep([0])
    assert np.isfinite(batch.join([[5]])).all()  # into the same row of the memory
    assert np.isfinite(batch.step([4, 6])).all()


@both_batches
def test_what_cannot_be_is_refused(new_batch: NewBatch) -> None:
    model = random_model(CLASSIC)
    with pytest.raises(UsageError, match="0 texts"):
        new_batch(model, 0, "exact")
    batch = new_batch(model, 2, "exact")
    impossible: list[list[list[int]]] = [[], [[1], [2], [3]], [[1], []], [[1], [13]], [[-1]]]
    for texts in impossible:
        with pytest.raises(UsageError):
            batch.prefill(texts)
    batch.prefill([[1], [2]])
    for ids in ([], [1], [1, 2, 3], [1, 13], [-1, 2]):
        with pytest.raises(UsageError):
            batch.step(ids)
    with pytest.raises(UsageError, match="rolling"):
        new_batch(model, 2, "rolling")
