"""Kernels that have a quick form and a plain one: both compute the same, forwards and backwards."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from makers import MODERN, random_ids, random_model, tiny_gpt
from torch import Tensor

from tinygpt_tui.architectures.extras import NgramTables, TokenShift
from tinygpt_tui.architectures.transformer import CausalSelfAttention, activate, attend, rope_table, rotate

FREQUENCIES = tiny_gpt(head_width=6).rotary_frequencies


def gradients(y: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    weights = torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()
    return torch.autograd.grad((y * weights).sum(), leaves)


@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 9])
def test_the_quick_token_shift_is_the_plain_one(window: int, length: int) -> None:
    generator = torch.Generator().manual_seed(window * 10 + length)
    shift = TokenShift(window, 4)
    with torch.no_grad():
        shift.mix_weights.normal_(generator=generator)
    x = torch.randn(2, length, 4, generator=generator).requires_grad_()
    quick, plain = shift(x), shift._plain(x)
    torch.testing.assert_close(quick, plain)
    for one, other in zip(gradients(quick, x, shift.mix_weights), gradients(plain, x, shift.mix_weights), strict=True):
        torch.testing.assert_close(one, other)


def test_the_token_shift_adds_shares_of_earlier_rows() -> None:
    shift = TokenShift(2, 1)
    with torch.no_grad():
        shift.mix_weights.copy_(torch.tensor([[10.0], [100.0]]))
    x = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1)
    assert shift(x).flatten().tolist() == [1, 12, 123]


def test_the_quick_squared_relu_is_the_plain_one() -> None:
    x = torch.linspace(-2, 2, 41).requires_grad_()
    quick = activate(x, "relu_squared")
    with torch.no_grad():
        torch.testing.assert_close(quick, activate(x, "relu_squared"))
    plain = x.relu().square()
    torch.testing.assert_close(quick, plain)
    torch.testing.assert_close(gradients(quick, x), gradients(plain, x))


@pytest.mark.parametrize(
    ("kind", "at_one"), [("gelu", 0.841345), ("gelu_tanh", 0.841192), ("relu", 1.0), ("relu_squared", 1.0)]
)
def test_activations_at_one(kind: str, at_one: float) -> None:
    assert activate(torch.tensor(1.0), kind).item() == pytest.approx(at_one, abs=1e-6)


def test_the_compilers_rotation_is_the_eager_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    rope = rope_table(8, FREQUENCIES)
    eager = rotate(x, rope)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(rotate(x, rope), eager)


def test_rotation_sees_distances_only() -> None:
    q, k = torch.randn(2, 1, 1, 1, 6, generator=torch.Generator().manual_seed(0))
    rope = rope_table(20, FREQUENCIES)
    scores = [(rotate(q, rope[i + 5 : i + 6]) * rotate(k, rope[i : i + 1])).sum().item() for i in (0, 3, 14)]
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-5)
    torch.testing.assert_close(rotate(q, rope[:1]), q)


def test_attention_is_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 4, generator=generator) for _ in range(3))
    scores = (q @ k.mT * 0.3).masked_fill(~torch.ones(5, 5).tril().bool(), -torch.inf)
    wanted = scores.softmax(-1) @ v
    torch.testing.assert_close(attend(q, k, v, 0.3), wanted)
    torch.testing.assert_close(attend(q[:, :, 3:], k, v, 0.3), wanted[:, :, 3:])  # the last two of five
    torch.testing.assert_close(attend(q[:, :, 4:], k, v, 0.3), wanted[:, :, 4:])  # the last one


def test_queries_and_keys_are_normalised_and_turned_values_are_not() -> None:
    settings = tiny_gpt(positions="rotary", qk_norm=True)
    attention = CausalSelfAttention(settings)
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    rope = rope_table(5, settings.rotary_frequencies)
    q, k, v = (part.view(2, 5, 2, 8).transpose(1, 2) for part in attention.c_attn(x).split(16, dim=2))
    q, k = (rotate(F.layer_norm(part, (8,)), rope) for part in (q, k))
    mixed = attend(q, k, v, 8**-0.5).transpose(1, 2).reshape(2, 5, 16)
    torch.testing.assert_close(attention(x, rope), attention.c_proj(mixed))


def test_ngram_rows_tell_apart_what_has_rows_enough() -> None:
    tables = NgramTables(vocab_size=3, rows=100, channels=4)
    with torch.no_grad():
        tables.triples.weight.zero_()
    found = {tuple(tables(torch.tensor([[a, b]]))[0, 1].tolist()) for a in range(3) for b in range(3)}
    assert len(found) == 9


def test_the_window_cannot_be_overrun() -> None:
    model = random_model(MODERN)
    with pytest.raises(AssertionError):
        model(torch.tensor([random_ids(9)]))
