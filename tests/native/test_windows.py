"""What happens when the window is full: reanchor begins again with half, rolling is the whole text's own answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import CLASSIC, MODERN, STANDARD_VARIANTS, random_ids, random_model, tiny_gpt
from native_twins import Twins
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.windows import retained_after


def sliding(**changes: Any) -> GPTSettings:
    """A net whose attention slides."""
    return tiny_gpt(positions="rotary", sliding=True, **changes)


# Windows around the panels of 64 slots; heads of more than a panel; what else looks back over the edge.
SLIDING: dict[str, GPTSettings] = {
    "a window of eight": sliding(),
    "a window of one": sliding(block_size=1),
    "a window of one, and shifts": sliding(block_size=1, token_shift=2, ngram_rows=40),
    "a panel and one more": sliding(block_size=65, qk_norm=True, n_layer=3),
    "one less than a panel": sliding(block_size=63, token_shift=3, ngram_rows=60),
    "a head wider than a panel": sliding(block_size=70, n_head=1, n_embd=70, token_shift=1),
}
LONG = 700


def whole_text(model: LanguageModel, ids: list[int]) -> NDArray[np.float32]:
    """Return the logits (T, V) of a text read in one piece."""
    with torch.inference_mode():
        found: NDArray[np.float32] = model(torch.tensor([ids]))[0].numpy()
    return found


@pytest.mark.parametrize("settings", SLIDING.values(), ids=SLIDING.keys())
def test_rolling_is_the_whole_texts_answer(settings: GPTSettings, twins: Twins) -> None:
    model = random_model(settings)
    ids, T = random_ids(LONG), settings.block_size
    wanted = whole_text(model, ids)
    engine = twins.one(model, "rolling")
    assert engine.window == "rolling"
    for begun in (1, T, T + 1, min(3 * T + 5, 500), 500):
        np.testing.assert_allclose(engine.prefill(ids[:begun]), wanted[begun - 1], rtol=0, atol=1e-4)
        for place in range(begun, min(LONG, begun + 2 * T + 140)):
            np.testing.assert_allclose(engine.step(ids[place]), wanted[place], rtol=0, atol=1e-4)
            assert engine.context_used == min(place + 1, T)


def test_rolling_forgets_nothing_that_is_felt_and_reads_no_more(twins: Twins) -> None:
    changes = {"block_size": 5, "n_layer": 3, "token_shift": 2, "ngram_rows": 40}
    model = random_model(sliding(**changes))
    engine = twins.one(model, "rolling")
    felt = 3 * (4 + 2 * 2) + 2
    ids = random_ids(felt + 40)
    first = engine.prefill(ids)
    far = [(id + 1) % 13 for id in ids[:39]]
    np.testing.assert_allclose(engine.prefill(far + ids[39:]), first, rtol=0, atol=1e-6)
    np.testing.assert_allclose(whole_text(model, far + ids[39:])[-1], first, rtol=0, atol=1e-4)


def test_positions_far_out_turn_as_torchs(twins: Twins) -> None:
    model = random_model(sliding(qk_norm=True))
    engine = twins.one(model, "rolling")
    ids = random_ids(40)
    engine.prefill(ids[:20])
    near = [engine.step(id) for id in ids[20:]]
    engine.prefill(ids[:20])
    far = twins.one(model, "rolling")
    far.prefill(random_ids(20, seed=8))
    # As if a text of three million tokens had gone before; what it left has been forgotten when the 20 are read.
    far._text.position = 3_000_000
    for id in ids[:20]:
        far.step(id)
    for id, wanted in zip(ids[20:], near, strict=True):
        np.testing.assert_allclose(far.step(id), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("settings", STANDARD_VARIANTS.values(), ids=STANDARD_VARIANTS.keys())
def test_reanchor_goes_on_with_half(settings: GPTSettings, twins: Twins) -> None:
    model = random_model(settings)
    engine, fresh = twins.one(model, "reanchor"), twins.one(model)
    assert engine.window == "reanchor"
    text = random_ids(3, settings.vocab_size)[: settings.block_size]
    engine.prefill(text)
    for id in random_ids(3 * settings.block_size + 4, settings.vocab_size, seed=2):
        if len(text) == settings.block_size:
            kept = retained_after("reanchor", settings.block_size)
            text = text[len(text) - kept :]
        text.append(id)
        np.testing.assert_allclose(engine.step(id), fresh.prefill(text), rtol=0, atol=1e-4)
        assert engine.context_used == len(text)


def test_a_model_that_was_not_trained_to_slide_does_not_roll(twins: Twins) -> None:
    for net in (CLASSIC, MODERN):
        with pytest.raises(UsageError, match="trained to slide"):
            twins.one(random_model(net), "rolling")


@settings(max_examples=25, deadline=None)
@given(
    pieces=st.lists(st.integers(1, 90), min_size=1, max_size=4),
    block_size=st.sampled_from([1, 7, 64, 66]),
    seed=st.integers(0, 5),
)
def test_however_a_text_is_begun_it_goes_on_the_same(
    pieces: list[int], block_size: int, seed: int, twins: Twins
) -> None:
    model = random_model(sliding(block_size=block_size, token_shift=1))
    ids = random_ids(sum(pieces) + 1, seed=seed)
    one = twins.one(model, "rolling")
    for begun in np.cumsum(pieces).tolist():
        logits = one.prefill(ids[:begun])
        for id in ids[begun:]:
            logits = one.step(id)
        np.testing.assert_allclose(logits, whole_text(model, ids)[-1], rtol=0, atol=1e-4)
