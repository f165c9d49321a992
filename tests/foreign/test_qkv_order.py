"""The order of queries, keys and values in a fused matrix: measured, shown on the card, and the user's to say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.native import load, open_checkpoint
from tinygpt_tui.errors import UsageError
from tinygpt_tui.foreign.calibration_cache import cache_calibration, cached_calibration
from tinygpt_tui.foreign.opening import Overrides, inspect_checkpoint
from tinygpt_tui.foreign.qkv_order import ORDERS, QKVOrder, in_order
from tinygpt_tui.settings.architecture import GPTSettings

HEADS = 4


@pytest.fixture(scope="module")
def trained() -> dict[str, Tensor]:
    """A trained model under nanoGPT's names: the shipped small one, without the bias of its head."""
    checkpoint = load(paths.shipped_models() / "shakespeare-small")
    settings = checkpoint.config.architecture
    assert isinstance(settings, GPTSettings)
    assert settings.n_head == HEADS
    state = {name: tensor.clone() for name, tensor in checkpoint.model.state_dict().items() if name != "lm_head.bias"}
    for name in state:
        if ".c_attn." in name:  # nanoGPT divides scores by the root of the head's size
            state[name][: settings.n_embd] *= (settings.head_size / settings.n_embd) ** 0.5
    return state


def laid(rows: Tensor, order: QKVOrder, heads: int = HEADS) -> Tensor:
    """Lay rows that are q, k, v in another order, as a program that has it so would."""
    q, k, v = rows.chunk(3)
    if order == "per_head":
        return torch.cat(list(itertools.chain(*zip(q.chunk(heads), k.chunk(heads), v.chunk(heads), strict=True))))
    return torch.cat([{"q": q, "k": k, "v": v}[part] for part in order])


def in_file(state: dict[str, Tensor], order: QKVOrder) -> dict[str, Tensor]:
    return {name: laid(rows, order).clone() if ".c_attn." in name else rows for name, rows in state.items()}


def told(path: Path, typed: Overrides | None = None) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for fact in open_checkpoint(path, overrides=typed).facts:
        yield fact.name, (fact.value, fact.source, fact.detail)


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_is_found(order: QKVOrder, trained: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "ckpt.pt"
    torch.save({"model": in_file(trained, order), "model_args": {"n_head": HEADS}}, path)
    opened = open_checkpoint(path)
    value, source, detail = next((one.value, one.source, one.detail) for one in opened.facts if one.name == "qkv_order")
    assert (value, source) == (order, "calibrated")
    assert "next best" in detail
    assert "sure" in detail
    for name, tensor in opened.model.state_dict().items():
        if ".c_attn.weight" in name:
            torch.testing.assert_close(tensor, trained[name])


@pytest.mark.parametrize("order", ["qkv", "kqv", "per_head"])
def test_it_is_found_with_the_number_of_heads(order: QKVOrder, fixtures: Path, tmp_path: Path) -> None:
    model = torch.load(fixtures / "nanogpt" / "ckpt.pt", weights_only=True)["model"]
    torch.save(
        {name: laid(rows, order, 6) if ".c_attn." in name else rows for name, rows in model.items()}, tmp_path / "a.pt"
    )
    facts = dict(told(tmp_path / "a.pt"))
    assert (facts["qkv_order"][0], facts["n_head"][0]) == (order, "6")


def test_it_is_found_where_matrices_lie_the_other_way_round(trained: dict[str, Tensor], tmp_path: Path) -> None:
    turned = {
        name: rows.T.contiguous() if rows.ndim == 2 and ".h." in name else rows
        for name, rows in in_file(trained, "qvk").items()
        if name != "lm_head.weight"
    }
    turned["transformer.wte.weight"] = trained["lm_head.weight"]  # GPT-2's head is its embedding
    torch.save(turned, tmp_path / "model.pt")
    inspection = inspect_checkpoint(tmp_path / "model.pt")
    assert inspection.layout.name == "hf-gpt2"
    assert [one.setting for one in inspection.questions] == ["n_head", "qkv_order"]


def test_the_user_knows_better(trained: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(in_file(trained, "kqv"), tmp_path / "model.pt")
    facts = dict(told(tmp_path / "model.pt", Overrides({"qkv_order": "vkq", "n_head": HEADS})))
    assert facts["qkv_order"] == ("vkq", "typed", "")
    with pytest.raises(UsageError, match="qkv order"):
        inspect_checkpoint(tmp_path / "model.pt", Overrides({"qkv_order": "qqq"}))


def test_without_evidence_the_order_is_the_programs_own(trained: dict[str, Tensor], tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(5)
    noise = {name: 0.02 * torch.randn(rows.shape, generator=generator) for name, rows in trained.items()}
    torch.save({"model": noise, "model_args": {"n_head": HEADS}}, tmp_path / "ckpt.pt")
    assert dict(told(tmp_path / "ckpt.pt"))["qkv_order"][0] == "qkv"


def test_the_order_is_remembered(trained: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"model": in_file(trained, "kqv"), "model_args": {"n_head": HEADS}}, tmp_path / "ckpt.pt")
    inspection = inspect_checkpoint(tmp_path / "ckpt.pt", Overrides({"qkv_order": "kqv"}))
    cache_calibration(inspection, inspection)
    again = cached_calibration(inspect_checkpoint(tmp_path / "ckpt.pt"))
    assert again is not None
    name = "transformer.h.0.attn.c_attn.weight"
    np.testing.assert_array_equal(again.weights()[name], trained[name].numpy())


def test_what_was_read_stays_as_it_is() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(12, 2)
    weights = {"transformer.h.0.attn.c_attn.weight": rows}
    settings = GPTSettings(vocab_size=3, n_embd=4, n_head=2)
    found = in_order(weights, "per_head", settings)["transformer.h.0.attn.c_attn.weight"]
    assert found[:, 0].tolist() == [0, 2, 12, 14, 4, 6, 16, 18, 8, 10, 20, 22]
    assert rows[:, 0].tolist() == list(range(0, 24, 2))
