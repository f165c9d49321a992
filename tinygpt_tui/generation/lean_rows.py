"""Many positions of a GPT at once: the prompt, the exact crop, the logits at every position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.architectures.extras import NgramTables
from tinygpt_tui.architectures.transformer import attend
from tinygpt_tui.generation.lean_weights import LeanLayer, LeanWeights

FEW_ROWS = 16  # below it oneDNN takes longer to begin than to compute


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading T positions of B texts leaves behind: all that the next position needs.

    `logits` (B, R, V) of the last R positions. For each layer: `qkv` (B, S, 3C), queries, keys and values as attention
    uses them, of the last S positions; `tails`, for the shifts before attention and before the MLP, their inputs at the
    last `token_shift` positions (B, reach, C); nothing where there is no shift. `last_ids` (B, 2) are what the n-gram
    tables look back at.
    """

    logits: Tensor
    qkv: list[Tensor]
    tails: list[tuple[Tensor, ...]]
    last_ids: Tensor


def read(weights: LeanWeights, ids: Tensor, *, start: int = 0, rows: int = 1, past: Reading | None = None) -> Reading:
    """Read `ids` (B, T), T at most block_size, and return the logits of the last `rows` positions.

    `start` is the first id's position; `past` is what the positions before left behind, where attention slides.
    In the last layer only what those `rows` need is computed.
    """
    settings = weights.settings
    (B, T), C = ids.shape, settings.n_embd  # batch, time, channels
    last_ids = ids.new_full((B, 2), NgramTables.NOTHING) if past is None else past.last_ids
    x = weights.tokens[ids]  # (B, T, C)
    if weights.places is not None:
        x += weights.places[start : start + T]
    if weights.ngrams is not None:
        x += weights.ngrams(ids, last_ids)
    if weights.embedding_norm is not None:
        x = weights.embedding_norm.of(x)
    turns = weights.turns(start, T)[:, None] if settings.positions == "rotary" else None  # (T, 1, D/2)
    kept, tails = [], []
    for number, layer in enumerate(weights.layers):
        last = number == len(weights.layers) - 1
        # The second shift of the last layer looks back at rows before those that are wanted.
        wanted = min(T, rows + settings.token_shift) if last else T
        before = None if past is None else (past.qkv[number], past.tails[number])
        x, qkv, tail = _read_layer(weights, layer, x, wanted, turns, before)
        kept.append(qkv)
        tails.append(tail)
    x = weights.norm.of(x[:, -rows:].reshape(-1, C))
    logits = product(x, weights.head, weights.head_bias).view(B, -1, settings.vocab_size)
    return Reading(logits, kept, tails, torch.cat((last_ids, ids), dim=1)[:, -2:])


def read_long(weights: LeanWeights, ids: Sequence[int], start: int = 0) -> Reading:
    """Read one text of any length with sliding attention; only as much of it as the last logits depend on.

    What is left behind covers the last block_size positions.
    """
    size = weights.settings.block_size
    known = len(ids)
    ids = ids[-weights.settings.receptive_field :]
    start += known - len(ids)
    past: Reading | None = None
    at = len(ids) % size or size  # an odd piece first, then whole ones
    piece = ids[:at]
    while True:
        past = read(weights, torch.tensor([piece]), start=start + at - len(piece), past=past)
        if at == len(ids):
            return past
        piece = ids[at : at + size]
        at += size


def activate_(x: Tensor, activation: str, turned: Tensor | None = None) -> None:
    """Apply the MLP's non-linearity to `x` (N, F), contiguous, in place; `turned`: `transposed(x)`."""
    if activation.startswith("relu"):
        x.relu_()
        if activation == "relu_squared":
            x.mul_(x)
        return
    # oneDNN takes contiguous tensors only, and 10 µs to begin. Its switch would hold for the whole process: instead,
    # of a few rows torch is shown the transpose, which it goes through by itself, in the same order.
    if turned is None:
        turned = x if len(x) >= FEW_ROWS else transposed(x)
    kind = "tanh" if activation == "gelu_tanh" else "none"
    F.gelu(turned, approximate=kind, out=turned)  # type: ignore[call-arg]


def transposed(x: Tensor) -> Tensor:
    """Return `x` (N, F), F even and contiguous, seen so that it does not look contiguous."""
    return x.view(2, -1).t()


def _read_layer(
    weights: LeanWeights,
    layer: LeanLayer,
    x: Tensor,
    wanted: int,
    turns: Tensor | None,
    before: tuple[Tensor, tuple[Tensor, ...]] | None,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """x (B, T, C) -> (B, wanted, C), with the layer's part of a Reading."""
    settings = weights.settings
    B, T, C = x.shape
    reach, size = settings.token_shift, settings.block_size
    past_qkv, past_tails = before or (None, None)

    h = layer.norm_1.of(x)
    if reach:
        h, tail_1 = shifted(h, layer.shares_1, past_tails[0] if past_tails else None)
    qkv = _qkv(weights, layer, h, wanted, turns)
    if past_qkv is not None:
        qkv = torch.cat((past_qkv, qkv), dim=1)
    q, k, v = (part.view(B, -1, settings.n_head, settings.head_size).transpose(1, 2) for part in qkv.chunk(3, dim=2))
    y = attend(q[:, :, -wanted:], k, v, 1.0, window=size if settings.sliding else None)
    x = x[:, T - wanted :].reshape(-1, C)  # (B * wanted, C), written on: it is of this call alone
    added(x, y.transpose(1, 2).reshape(-1, C), layer.proj, layer.proj_bias)
    h = layer.norm_2.of(x)
    if reach:
        h, tail_2 = shifted(h.view(B, wanted, C), layer.shares_2, past_tails[1] if past_tails else None)
    h = product(h.view(-1, C), layer.fc, layer.fc_bias)
    activate_(h, settings.activation)
    added(x, h, layer.down, layer.down_bias)
    return x.view(B, wanted, C), qkv[:, -size:], (tail_1, tail_2) if reach else ()


def _qkv(weights: LeanWeights, layer: LeanLayer, h: Tensor, wanted: int, turns: Tensor | None) -> Tensor:
    """h (B, T, C) -> (B, T, 3C), normed and turned; of the queries only the last `wanted` are right."""
    settings = weights.settings
    B, T, C = h.shape
    qkv = h.new_empty(B, T, 3 * C)
    if wanted == T:
        torch.mm(h.view(-1, C), layer.qkv, out=qkv.view(-1, 3 * C))
    else:
        torch.mm(h.view(-1, C), layer.qkv[:, C:], out=qkv.view(-1, 3 * C)[:, C:])
        qkv[:, :, :C] = 0
        qkv[:, T - wanted :, :C] = h[:, T - wanted :] @ layer.qkv[:, :C]
    if layer.qkv_bias is not None:
        qkv += layer.qkv_bias
    norm_and_turn(weights, qkv[:, :, : 2 * C].view(B, T, 2 * settings.n_head, -1), turns)
    return qkv


def norm_and_turn(weights: LeanWeights, both: Tensor, turns: Tensor | None) -> None:
    """Norm (with `qk_norm`) and turn queries and keys, `both` (..., T, 2H, D), in place; `turns` (T, 1, D/2)."""
    normed = both if weights.qk_norm is None else weights.qk_norm.of(both)
    if turns is not None:
        torch.mul(pairs_of(normed), turns, out=pairs_of(both))
    elif normed is not both:
        both.copy_(normed)


def pairs_of(x: Tensor) -> Tensor:
    """(..., D) -> complex (..., D/2), the same memory."""
    return torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))


def shifted(h: Tensor, shares: Sequence[Tensor], tail: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Add the learned share of earlier rows to `h` (B, T, C); return that, and the last rows of `h` (B, reach, C)."""
    reach = len(shares)
    if tail is None:
        tail = h.new_zeros(h.shape[0], reach, h.shape[2])
    joined = torch.cat((tail, h), dim=1)
    T = h.shape[1]
    y = h
    for back, share in enumerate(shares, start=1):
        y = torch.addcmul(y, joined[:, reach - back : reach - back + T], share)
    return y, joined[:, -reach:]


def with_shares(h: Tensor, shares: Sequence[Tensor], tail: list[Tensor]) -> Tensor:
    """Add the learned share of the earlier rows `tail`, nearest first, to `h` (B, C), which joins them."""
    y = h
    for row, share in zip(tail, shares, strict=True):
        y = torch.addcmul(y, row, share)
    tail.insert(0, h)
    tail.pop()
    return y


def product(x: Tensor, matrix: Tensor, bias: Tensor | None, out: Tensor | None = None) -> Tensor:
    """Return x @ matrix + bias, in `out` where it is given."""
    return torch.mm(x, matrix, out=out) if bias is None else torch.addmm(bias, x, matrix, out=out)


def added(x: Tensor, y: Tensor, matrix: Tensor, bias: Tensor | None) -> None:
    """Add y @ matrix + bias to `x`, in place."""
    x.addmm_(y, matrix)
    if bias is not None:
        x.add_(bias)
