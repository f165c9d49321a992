"""What a GPT may have beside attention and MLP: token shift and n-gram tables."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Ids = TypeVar("Ids", int, Tensor)


class TokenShift(nn.Module):
    """Each channel adds a learned weight of its previous positions: a causal convolution that starts as "no mixing".

    Source: the token shift of RWKV (Peng et al. 2023), here added instead of mixed.
    """

    def __init__(self, window: int, channels: int) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.zeros(window, channels))  # its name in every saved model

    @property
    def mix_weights(self) -> nn.Parameter:
        """How much of each earlier position a channel adds, (window, C)."""
        return self.shares

    def forward(self, x: Tensor, past: Tensor | None = None) -> Tensor:
        """x (B, T, C) -> (B, T, C); `past` (B, window, C) holds the rows before `x` and is brought up to date."""
        window = self.mix_weights.shape[0]
        if past is not None:
            joined = torch.cat((past, x), dim=1)
            past.copy_(joined[:, -window:])
            return self._plain(joined)[:, window:]
        if torch.compiler.is_compiling() or x.shape[1] <= window:
            return self._plain(x)
        mixed: Tensor = _AddShifted.apply(x, self.mix_weights)  # type: ignore[no-untyped-call]
        return mixed

    def _plain(self, x: Tensor) -> Tensor:
        y = x
        for j, weight in enumerate(self.mix_weights, start=1):
            y = y + weight * torch.nn.functional.pad(x, (0, 0, j, 0))[:, : x.shape[1]]
        return y


class _AddShifted(torch.autograd.Function):
    """`x + sum_j weights[j] * x moved j + 1 positions back`, with fewer passes over memory than autograd makes.

    x (B, T, C), weights (window, C) -> (B, T, C).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(x, weights)
        y = x.clone()
        for j, weight in enumerate(weights, start=1):
            y[:, j:].addcmul_(x[:, :-j], weight)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weights = ctx.saved_tensors
        (gradient,) = gradients
        to_x = gradient.clone()
        to_weights = torch.zeros_like(weights)
        for j, weight in enumerate(weights, start=1):
            to_x[:, :-j].addcmul_(gradient[:, j:], weight)
            to_weights[j - 1] = (gradient[:, j:] * x[:, :-j]).sum((0, 1))
        return to_x, to_weights


class NgramTables(nn.Module):
    """A learned vector for the last two tokens and a hashed one for the last three: what a counting model would know.

    Their sum is added to the token's embedding.
    """

    NOTHING = -1  # before the first token

    def __init__(self, vocab_size: int, rows: int, channels: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        # Two tokens (or nothing before them) have few pairs: no collisions while the table has a row for each.
        self.pair_rows = min((vocab_size + 1) ** 2, rows)
        self.triple_rows = rows
        self.pairs = nn.Embedding(self.pair_rows, channels)
        self.triples = nn.Embedding(self.triple_rows, channels)

    def forward(self, ids: Tensor, last_ids: Tensor | None = None) -> Tensor:
        """ids (B, T) -> (B, T, C); `last_ids` (B, 2) are those before `ids`, NOTHING where there is none."""
        if last_ids is None:
            last_ids = ids.new_full((ids.shape[0], 2), self.NOTHING)
        joined = torch.cat((last_ids, ids), dim=1) + 1  # nothing is 0
        pair, triple = self.rows(joined[:, :-2], joined[:, 1:-1], joined[:, 2:])
        mixed: Tensor = self.pairs(pair) + self.triples(triple)
        return mixed

    def rows(self, third: Ids, second: Ids, first: Ids) -> tuple[Ids, Ids]:
        """Return the rows of both tables for three neighbours (any shape), the newest `first`.

        All ids are one higher: nothing is 0.
        """
        pair = second * (self.vocab_size + 1) + first
        # Multipliers are odd and far apart, so that neighbouring ids fall on distant rows.
        triple = (third * 0x9E3779B1 + second * 0x85EBCA77 + first * 0xC2B2AE3D) >> 7
        return pair % self.pair_rows, triple % self.triple_rows
