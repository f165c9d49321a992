"""Several texts side by side are written as each alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from makers import CLASSIC, MODERN, STANDARD_VARIANTS, random_ids, random_model, tiny_gpt
from native_twins import Twins

from tinygpt_tui.errors import UsageError
from tinygpt_tui.native.weights import Precision
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.windows import Policy

LENGTHS = (1, 3, 8, 3, 30)


def prompts(settings: GPTSettings) -> list[list[int]]:
    """Texts of different lengths, the second and the fourth the same."""
    return [random_ids(length, settings.vocab_size, seed=length) for length in LENGTHS]


def policies(settings: GPTSettings) -> tuple[Policy, ...]:
    return ("exact", "reanchor", "rolling") if settings.sliding else ("exact", "reanchor")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("settings", STANDARD_VARIANTS.values(), ids=STANDARD_VARIANTS.keys())
def test_each_text_is_as_it_were_alone(settings: GPTSettings, precision: Precision, twins: Twins) -> None:
    model, texts = random_model(settings), prompts(settings)
    for policy in policies(settings):
        batch = twins.many(model, len(texts), policy, precision)
        alone = [twins.one(model, policy, precision) for _ in texts]
        found = batch.join(texts)
        assert found.dtype == np.float32
        np.testing.assert_allclose(
            found, [engine.prefill(text) for engine, text in zip(alone, texts, strict=True)], rtol=0, atol=1e-5
        )
        for turn, ids in enumerate(np.random.default_rng(4).integers(settings.vocab_size, size=(24, 5)).tolist()):
            if turn == 10:
                batch.keep_rows([4, 0, 2])
                alone = [alone[4], alone[0], alone[2]]
            ids = ids[: len(alone)]
            found = batch.step(ids)
            assert found.shape == (len(alone), settings.vocab_size)
            np.testing.assert_allclose(
                found, [engine.step(id) for engine, id in zip(alone, ids, strict=True)], rtol=0, atol=1e-5
            )
            assert batch.contexts_used == [engine.context_used for engine in alone]


@pytest.mark.parametrize("count", [2, 7, 16, 30])
def test_greedy_text_is_the_same_for_any_number(count: int, twins: Twins) -> None:
    model = random_model(tiny_gpt(n_embd=96, n_head=3, block_size=24, vocab_size=70))
    batch, one = twins.many(model, count), twins.one(model)
    texts = [random_ids(1 + place % 9, 70, seed=place) for place in range(count)]
    written: list[list[int]] = [[] for _ in texts]
    logits = batch.join(texts)
    for _ in range(40):
        ids = logits.argmax(axis=1).tolist()
        for text, id in zip(written, ids, strict=True):
            text.append(id)
        logits = batch.step(ids)
    for text, found in zip(texts, written, strict=True):
        alone = one.prefill(text)
        for id in found:
            assert int(alone.argmax()) == id
            alone = one.step(id)


def test_logits_are_the_callers_own(twins: Twins) -> None:
    batch = twins.many(random_model(MODERN), 2)
    first = batch.join([[1, 2], [1, 2]])
    kept = first.copy()
    second = batch.step([3, 4])
    again = second.copy()
    batch.step([5, 6])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(second, again)


def test_new_texts_may_be_fewer_and_forget_the_old(twins: Twins) -> None:
    batch = twins.many(random_model(MODERN), 3)
    first = batch.join([[1, 2], [3], [4]])
    batch.keep_rows([2])
    batch.step([1])
    batch.keep_rows([])
    np.testing.assert_array_equal(batch.join([[1, 2], [3]]), first[:2])
    assert batch.contexts_used == [2, 1]
    batch.keep_rows([])
    assert batch.contexts_used == []


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda batch: batch.step([1]), "1 ids for 0 texts"),
        (lambda batch: batch.join([[1]] * 3), "3 more texts: this engine has room for 2"),
        (lambda batch: (batch.join([[1]]), batch.join([[2], [3]])), "2 more texts: this engine has room for 1"),
        (lambda batch: batch.join([[1], []]), "at least one token"),
        (lambda batch: batch.join([[1], [13]]), "token 13 is not one of the model's 13"),
        (lambda batch: (batch.join([[1], [2]]), batch.step([1])), "1 ids for 2 texts"),
        (lambda batch: (batch.join([[1], [2]]), batch.step([1, -1])), "token -1 is not one"),
    ],
)
def test_invalid_calls_are_refused(ask: Any, words: str, twins: Twins) -> None:
    with pytest.raises(UsageError, match=words):
        ask(twins.many(random_model(CLASSIC), 2))


def test_no_texts_cannot_be_opened(twins: Twins) -> None:
    with pytest.raises(UsageError, match="0 texts cannot be written"):
        twins.many(random_model(CLASSIC), 0)
