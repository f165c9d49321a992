"""Each text of a batch is what it is alone, whatever its length, whenever texts join and leave."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import CLASSIC, MODERN, VARIANTS, random_ids, random_model, tiny_gpt

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.windows import Policy

Move = tuple[str, list[Any]]  # "join" texts, "step" ids, "keep" rows
ROOM = 5


def compare(model: LanguageModel, policy: Policy, moves: list[Move]) -> None:
    """Make the moves with a batch, and with an engine for each text: logits and contexts are the same."""
    batch, alone = SlotBatchEngine(model, ROOM, policy), []
    for verb, what in moves:
        found: Any = ()
        wanted: Any = ()
        if verb == "join":
            joined = [TorchEngine(model, policy) for _ in what]
            wanted = [engine.prefill(ids) for engine, ids in zip(joined, what, strict=True)]
            found, alone = batch.join(what), [*alone, *joined]
        elif verb == "step":
            wanted = [engine.step(id) for engine, id in zip(alone, what, strict=True)]
            found = batch.step(what)
            assert found.dtype == np.float32
        else:
            batch.keep_rows(what)
            alone = [alone[row] for row in what]
        for mine, its in zip(found, wanted, strict=True):
            np.testing.assert_allclose(mine, its, rtol=0, atol=1e-4 * max(float(its.std()), 0.1))
        assert batch.contexts_used == [engine.context_used for engine in alone]


def policies(net: ArchitectureSettings) -> list[Policy]:
    return ["exact", "reanchor", "rolling"] if net.supports_sliding else ["exact", "reanchor"]


CASES: list[Any] = [
    pytest.param(net, policy, id=f"{name}, {policy}") for name, net in VARIANTS.items() for policy in policies(net)
]


def story(size: int, seed: int) -> list[Move]:
    """Return how texts join and leave: short and long ones, full windows, no text at all, and all again."""
    numbers, left = random.Random(seed), 0
    moves: list[Move] = []

    def ids(count: int) -> list[int]:
        return [numbers.randrange(size) for _ in range(count)]

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


@pytest.mark.parametrize(("net", "policy"), CASES)
def test_each_text_is_what_it_is_alone(net: ArchitectureSettings, policy: Policy) -> None:
    compare(random_model(net), policy, story(net.vocab_size, seed=1))


@st.composite
def stories(draw: Any) -> tuple[ArchitectureSettings, Policy, list[Move]]:
    """A net, and what happens to texts of any lengths."""
    net, policy = draw(st.sampled_from([case.values for case in CASES]))
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
    return net, policy, moves


@settings(max_examples=25, deadline=None)
@given(stories())
def test_texts_may_join_and_leave_at_any_time(drawn: Any) -> None:
    net, policy, moves = drawn
    compare(random_model(net), policy, moves)


@pytest.mark.parametrize("policy", ["exact", "reanchor"])
def test_the_same_prompt_many_times(policy: Policy) -> None:
    steps: list[Move] = [("step", random_ids(ROOM, seed=step)) for step in range(14)]
    compare(random_model(MODERN), policy, [("join", [[1, 2, 3]] * ROOM), *steps])


def test_wide_nets_with_few_and_many_texts() -> None:
    net = tiny_gpt(n_embd=160, n_head=4, block_size=12, bias=True, qkv_bias=True, head_bias=True)
    model = random_model(net)
    for texts in (2, 17):
        batch, engines = SlotBatchEngine(model, texts, "exact"), [TorchEngine(model, "exact") for _ in range(texts)]
        prompts = [random_ids(1 + place % 5, seed=place) for place in range(texts)]
        found, wanted = (
            batch.join(prompts),
            [engine.prefill(ids) for engine, ids in zip(engines, prompts, strict=True)],
        )
        for step in range(15):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * float(np.std(wanted)))
            ids = random_ids(texts, seed=step)
            found, wanted = batch.step(ids), [engine.step(id) for engine, id in zip(engines, ids, strict=True)]


def test_a_batch_can_begin_again_with_other_texts() -> None:
    model = random_model(MODERN)
    batch = SlotBatchEngine(model, 3, "exact")
    batch.join([[1], [2, 3], [4] * 20])
    batch.step([5, 6, 7])
    batch.keep_rows([])
    found = [batch.join([[1, 2], [3]]), batch.step([4, 5])]
    for place, ids in enumerate(([1, 2], [3])):
        alone = TorchEngine(model, "exact")
        np.testing.assert_allclose(found[0][place], alone.prefill(ids), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found[1][place], alone.step(4 + place), rtol=1e-4, atol=1e-4)
    assert batch.contexts_used == [3, 2]


def test_a_text_that_cannot_be_read_does_not_affect_the_others() -> None:
    model = random_model(CLASSIC)
    batch, alone = SlotBatchEngine(model, 3, "exact"), TorchEngine(model, "exact")
    batch.join([[1, 2, 3]])
    alone.prefill([1, 2, 3])
    impossible: list[list[list[int]]] = [[[1], [2], [3]], [[1], []], [[13]], [[2], [-1]]]
    for texts in impossible:
        with pytest.raises(UsageError):
            batch.join(texts)
    np.testing.assert_allclose(batch.step([4])[0], alone.step(4), rtol=1e-4, atol=1e-4)


def test_nan_stays_with_the_text_it_belongs_to() -> None:
    model = random_model(CLASSIC)
    weight: Any = model.transformer["wte"].weight  # type: ignore[union-attr,index]
    model.lm_head.weight = type(weight)(weight.detach().clone())  # type: ignore[union-attr]
    weight.data[0] = float("nan")
    batch = SlotBatchEngine(model, 3, "exact")
    batch.join([[1, 2, 3, 4, 5]])
    assert np.isnan(batch.join([[0] * 6])).all()
    healthy, broken = batch.step([3, 3])
    assert np.isfinite(healthy).all()
    assert np.isnan(broken).all()
    batch.keep_rows([0])
    assert np.isfinite(batch.join([[5]])).all()  # into the same row of the memory
    assert np.isfinite(batch.step([4, 6])).all()


def test_invalid_calls_are_refused() -> None:
    model = random_model(CLASSIC)
    with pytest.raises(UsageError, match="0 texts"):
        SlotBatchEngine(model, 0, "exact")
    batch = SlotBatchEngine(model, 2, "exact")
    with pytest.raises(UsageError, match="0 texts"):
        batch.step([])
    batch.join([[1], [2]])
    for ids in ([], [1], [1, 2, 3], [1, 13], [-1, 2]):
        with pytest.raises(UsageError):
            batch.step(ids)
    with pytest.raises(UsageError, match="rolling"):
        SlotBatchEngine(model, 2, "rolling")
