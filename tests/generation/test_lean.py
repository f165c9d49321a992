"""The lean engine is the net: the same text over the window's edge, whatever the sizes; and it leaves torch alone."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
from makers import GPT_VARIANTS, MODERN, random_ids, random_model, tiny_gpt

from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.architectures.table import build
from tinygpt_tui.architectures.transformer import activate
from tinygpt_tui.generation import lean
from tinygpt_tui.generation.engine import TorchEngine, open_torch_engine
from tinygpt_tui.generation.lean import LeanEngine
from tinygpt_tui.generation.lean_rows import FEW_ROWS, activate_
from tinygpt_tui.generation.lean_weights import TURNED_WIDTH, lean_weights, suits
from tinygpt_tui.measuring.naive import NaiveGPT
from tinygpt_tui.settings.architecture import GPTSettings

SMALL = GPTSettings(n_layer=4, n_head=4, n_embd=64, block_size=128)
MIDDLE = GPTSettings(n_layer=6, n_head=6, n_embd=192, block_size=128)
LARGE = GPTSettings(n_layer=6, n_head=6, n_embd=384, block_size=256)
BIASED = GPTSettings(n_layer=2, n_head=2, n_embd=128, block_size=32, vocab_size=300, bias=True, qkv_bias=True)


def greedy(engine: LeanEngine | TorchEngine, ids: list[int], count: int) -> list[int]:
    found = [int(engine.prefill(ids).argmax())]
    while len(found) < count:
        found.append(int(engine.step(found[-1]).argmax()))
    return found


@pytest.mark.parametrize(
    ("net", "prompt", "count"),
    [(SMALL, 10, 180), (MIDDLE, 110, 40), (LARGE, 250, 14), (BIASED, 3, 80)],
    ids=["S", "M", "L", "with biases"],
)
def test_greedy_text_is_nanogpts_over_the_windows_edge(net: GPTSettings, prompt: int, count: int) -> None:
    model = random_model(net, seed=5)
    naive = NaiveGPT(net).eval()
    naive.load_state_dict(model.state_dict())
    ids = random_ids(prompt, net.vocab_size)
    assert isinstance(model, GPT)
    written = greedy(LeanEngine(lean_weights(model), "exact"), ids, count)
    assert written == list(naive.generate(ids, count, temperature=0))
    assert len(set(written)) > 1
    assert prompt + count > net.block_size


@pytest.mark.parametrize(
    "net",
    [
        tiny_gpt(n_head=3, n_embd=21, block_size=37, bias=True, qkv_bias=True),
        tiny_gpt(n_head=8, n_embd=8, block_size=20),
        tiny_gpt(n_head=2, n_embd=TURNED_WIDTH, block_size=40, positions="rotary", qk_norm=True, token_shift=1),
        tiny_gpt(n_head=2, n_embd=TURNED_WIDTH, block_size=24, token_shift=2, bias=True, qkv_bias=True, head_bias=True),
        tiny_gpt(block_size=2, token_shift=3, ngram_rows=90),
        tiny_gpt(n_head=2, n_embd=2, qk_norm=True, norm="rmsnorm", n_layer=1),
    ],
    ids=["odd widths", "heads of one", "wide, rotary", "wide, shifted, biased", "a shift past the window", "narrow"],
)
@pytest.mark.parametrize("policy", ["exact", "reanchor"])
def test_odd_sizes_agree_with_the_other_engine(net: GPTSettings, policy: Any) -> None:
    model = random_model(net)
    lean, other = open_torch_engine(model, policy), TorchEngine(model, policy)
    assert isinstance(lean, LeanEngine)
    ids = random_ids(net.block_size * 2 + 20, net.vocab_size)
    found = [lean.prefill(ids[:1]), *(lean.step(id) for id in ids[1:])]
    wanted = [other.prefill(ids[:1]), *(other.step(id) for id in ids[1:])]
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-4 * max(float(theirs.std()), 0.1))


def test_a_long_prompt_is_read_only_as_far_as_it_is_felt() -> None:
    net = GPT_VARIANTS["sliding, with all else"]
    model = random_model(net)
    reach = net.receptive_field
    assert reach == 1 + net.n_layer * (net.block_size - 1 + 2 * net.token_shift) + 2
    ids = random_ids(reach + 30, net.vocab_size)
    others = [(id + 1) % net.vocab_size for id in ids[:30]] + ids[30:]
    found, same = (open_torch_engine(model, "rolling").prefill(text) for text in (ids, others))
    np.testing.assert_array_equal(found, same)
    near = [*ids[:-2], (ids[-2] + 1) % net.vocab_size, ids[-1]]
    assert not np.allclose(found, open_torch_engine(model, "rolling").prefill(near))


def test_engines_share_their_weights_until_these_change() -> None:
    model = random_model(MODERN)
    assert isinstance(model, GPT)
    kept = lean_weights(model)
    assert lean_weights(model) is kept
    before = LeanEngine(kept, "exact").prefill([1, 2, 3])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    after = open_torch_engine(model, "exact").prefill([1, 2, 3])
    np.testing.assert_allclose(after, TorchEngine(model).prefill([1, 2, 3]), rtol=1e-4, atol=1e-4)
    assert not np.allclose(before, after)


def test_weights_whose_changes_are_not_counted_are_read_anew() -> None:
    with torch.inference_mode():
        model = build(MODERN).eval()
        open_torch_engine(model, "exact").prefill([1, 2])
        for parameter in model.parameters():
            parameter.normal_(std=0.4)
        np.testing.assert_allclose(
            open_torch_engine(model, "exact").prefill([1, 2]), TorchEngine(model).prefill([1, 2]), rtol=1e-4, atol=1e-4
        )


def test_where_views_would_take_too_much_memory_they_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(GPT_VARIANTS["sliding"])
    ids = random_ids(30)
    engines = [open_torch_engine(model, "rolling")]
    monkeypatch.setattr(lean, "KEPT_PLACES", 0)
    engines.append(open_torch_engine(model, "rolling"))
    texts = [[engine.prefill(ids[:2]), *(engine.step(id) for id in ids[2:])] for engine in engines]
    np.testing.assert_array_equal(texts[0], texts[1])


def test_the_model_is_left_as_it_was() -> None:
    model = random_model(tiny_gpt(qkv_bias=True, positions="rotary", embedding_norm=False))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    engine = open_torch_engine(model, "exact")
    engine.prefill([1, 2])
    for id in random_ids(20):
        engine.step(id)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_torchs_switches_are_left_alone_and_texts_in_threads_do_not_meet() -> None:
    model = random_model(SMALL)
    seen: set[bool] = set()
    ids = random_ids(5, 65)
    alone = greedy(TorchEngine(model), ids, 60)
    found: list[list[int]] = []

    def write() -> None:
        engine = open_torch_engine(model, "exact")
        assert isinstance(engine, LeanEngine)
        found.append(greedy(engine, ids, 60))
        seen.add(torch.backends.mkldnn.enabled)

    enabled = torch.backends.mkldnn.enabled
    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 3
    assert seen == {enabled}
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("rows", [1, 2, FEW_ROWS - 1, FEW_ROWS, FEW_ROWS + 5])
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu", "relu_squared"])
def test_the_bend_is_the_mlps(rows: int, activation: str) -> None:
    x = torch.linspace(-4, 4, rows * 24).view(rows, 24)
    wanted = activate(x, activation)
    activate_(x, activation)
    torch.testing.assert_close(x, wanted)


def test_what_is_not_a_gpt_in_float32_is_left_to_the_other_engine() -> None:
    assert suits(random_model(MODERN))
    assert not suits(random_model(MODERN).bfloat16())
    with torch.device("meta"):
        assert not suits(GPT(MODERN))
