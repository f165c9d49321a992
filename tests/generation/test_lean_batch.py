"""Texts side by side are what each of them is alone, whatever their lengths, and whichever of them end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import CLASSIC, GPT_VARIANTS, MODERN, random_ids, random_model, tiny_gpt

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.base import BatchEngine
from tinygpt_tui.generation.engine import EnginesInTurn, TorchEngine, open_torch_batch_engine, open_torch_engine
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.windows import Policy

NewBatch = Callable[[LanguageModel, int, Policy], BatchEngine]


def in_turn(model: LanguageModel, texts: int, policy: Policy) -> BatchEngine:
    return EnginesInTurn(lambda: TorchEngine(model, policy), texts)


both_batches = pytest.mark.parametrize("new_batch", [open_torch_batch_engine, in_turn], ids=["lean", "in turn"])


def compare(
    model: LanguageModel, policy: Policy, texts: list[list[int]], moves: list[tuple[list[int], list[int] | None]]
) -> None:
    """Give each move's ids to both; where it has rows, only those go on after it."""
    batch = open_torch_batch_engine(model, len(texts), policy)
    engines = [open_torch_engine(model, policy) for _ in texts]
    found, wanted = batch.prefill(texts), [engine.prefill(ids) for engine, ids in zip(engines, texts, strict=True)]
    for ids, rows in [*moves, ([], None)]:
        assert found.dtype == np.float32
        for mine, alone in zip(found, wanted, strict=True):
            np.testing.assert_allclose(mine, alone, rtol=0, atol=1e-4 * max(float(alone.std()), 0.1))
        assert batch.contexts_used == [engine.context_used for engine in engines]
        if ids:
            found, wanted = batch.step(ids), [engine.step(id) for engine, id in zip(engines, ids, strict=True)]
        if rows is not None:
            batch.keep(rows)
            engines = [engines[row] for row in rows]
            found, wanted = found[rows], [wanted[row] for row in rows]


def policies(net: GPTSettings) -> list[Policy]:
    return ["exact", "reanchor", "rolling"] if net.sliding else ["exact", "reanchor"]


CASES: list[Any] = [
    pytest.param(net, policy, id=f"{name}, {policy}") for name, net in GPT_VARIANTS.items() for policy in policies(net)
]


@pytest.mark.parametrize(("net", "policy"), CASES)
@pytest.mark.parametrize("lengths", [(2, 9, 5), (3, 3, 3, 8), (40,), (1, 30, 8, 7, 1)], ids=str)
def test_each_text_is_what_it_is_alone(net: GPTSettings, policy: Policy, lengths: tuple[int, ...]) -> None:
    texts = [random_ids(length, net.vocab_size, seed=place) for place, length in enumerate(lengths)]
    steps = [random_ids(len(texts), net.vocab_size, seed=100 + step) for step in range(30)]
    compare(random_model(net), policy, texts, [(ids, None) for ids in steps])


@st.composite
def stories(draw: Any) -> tuple[GPTSettings, Policy, list[list[int]], list[tuple[list[int], list[int] | None]]]:
    """A net, texts of any lengths, and what happens to them."""
    net = draw(st.sampled_from(list(GPT_VARIANTS.values())))
    policy = draw(st.sampled_from(policies(net)))
    id = st.integers(0, net.vocab_size - 1)
    texts = draw(st.lists(st.lists(id, min_size=1, max_size=20), min_size=1, max_size=4))
    left, moves = len(texts), []
    for _ in range(draw(st.integers(0, 14))):
        ids = draw(st.lists(id, min_size=left, max_size=left))
        rows = draw(st.none() | st.permutations(range(left)).map(lambda order: order[: max(1, len(order) - 1)]))
        moves.append((ids, rows))
        left = left if rows is None else len(rows)
    return net, policy, texts, moves


@settings(max_examples=40, deadline=None)
@given(stories())
def test_texts_may_end_at_any_time(story: Any) -> None:
    net, policy, texts, moves = story
    compare(random_model(net), policy, texts, moves)


@pytest.mark.parametrize("policy", ["exact", "reanchor"])
def test_the_same_prompt_many_times(policy: Policy) -> None:
    compare(random_model(MODERN), policy, [[1, 2, 3]] * 20, [(random_ids(20, seed=step), None) for step in range(14)])


def test_wide_nets_with_few_and_many_texts() -> None:
    net = tiny_gpt(n_embd=160, n_head=4, block_size=12, bias=True, qkv_bias=True, head_bias=True)
    for texts in (2, 17):
        prompts = [random_ids(1 + place % 5, seed=place) for place in range(texts)]
        compare(random_model(net), "exact", prompts, [(random_ids(texts, seed=step), None) for step in range(15)])


@both_batches
def test_a_batch_can_begin_again_with_other_texts(new_batch: NewBatch) -> None:
    model = random_model(CLASSIC)
    batch = new_batch(model, 3, "exact")
    batch.prefill([[1], [2, 3], [4] * 20])
    batch.step([5, 6, 7])
    batch.keep([1])
    found = batch.prefill([[1, 2], [3]])
    np.testing.assert_allclose(found[0], TorchEngine(model).prefill([1, 2]), rtol=1e-4, atol=1e-4)
    assert batch.contexts_used == [2, 1]


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
        open_torch_batch_engine(model, 2, "rolling")
