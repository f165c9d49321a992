"""Rounded weights: within half a step of the true ones, and logits near by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import STANDARD_VARIANTS, make_model, random_ids, random_model, tiny_gpt
from native_twins import Twins

from tinygpt_tui.checkpoints.weights import read_weights
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import Library
from tinygpt_tui.native.panels import LANES, PANEL, Block, Panels, room
from tinygpt_tui.settings.architecture import GPTSettings


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 140),
    height=st.integers(1, 40),
    seed=st.integers(0, 1000),
    size=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_no_weight_is_off_by_more_than_half_a_step(width: int, height: int, seed: int, size: float) -> None:
    weight = (np.random.default_rng(seed).standard_normal((width, height)) * size).astype(np.float32)
    weight[seed % width] = 0
    part = Panels(weight, rounded=True)
    laid = dict(Block(room(part)).put("head", part))
    words, scales = laid["head"].reshape(-1, height, LANES), laid["head_scales"]
    for column in range(width):
        panel, place = divmod(column, PANEL)
        byte, lane = divmod(place, LANES)
        read = (words[panel, :, lane] << np.uint32(24 - 8 * byte)).view(np.int32).astype(np.float64)
        step = max(float(np.abs(weight[column]).max()), 0.0) / 127
        off = np.abs(read * scales[column] - weight[column])
        assert off.max() <= 0.501 * step or not step
        assert scales[column] > 0
    assert not scales[width:].any()  # what a panel has beyond its columns is nothing


@pytest.mark.parametrize("settings", STANDARD_VARIANTS.values(), ids=STANDARD_VARIANTS.keys())
def test_logits_are_near_the_true_ones(settings: GPTSettings, twins: Twins) -> None:
    model = random_model(settings)
    true, near = twins.one(model), twins.one(model, precision="int8")
    ids = random_ids(settings.block_size + 4, settings.vocab_size)
    wanted = [true.prefill(ids[:1]), *(true.step(id) for id in ids[1:])]
    found = [near.prefill(ids[:1]), *(near.step(id) for id in ids[1:])]
    off = np.abs(np.array(found) - np.array(wanted))
    spread = max(float(np.std(wanted)), 0.1)
    assert 0 < off.max() < 0.5 * spread
    assert off.mean() < 0.05 * spread


def test_many_rows_are_read_as_one_is(twins: Twins) -> None:
    model = random_model(tiny_gpt(n_embd=96, n_head=2, block_size=200, vocab_size=70))
    engine = twins.one(model, precision="int8")
    ids = random_ids(200, 70)
    every = engine.every(ids)
    logits = engine.prefill(ids[:1])
    for place in range(1, 200):
        logits = engine.step(ids[place])
        np.testing.assert_allclose(logits, every[place], rtol=0, atol=1e-4)


def test_a_folder_is_read_rounded(tmp_path: Path, library: Library, twins: Twins) -> None:
    model = make_model(tmp_path / "cat")
    weights = read_weights(tmp_path / "cat", "int8")
    assert weights.precision == "int8"
    found = NativeEngine(weights, library).prefill([1, 2, 3])
    np.testing.assert_array_equal(found, twins.one(model, precision="int8").prefill([1, 2, 3]))
