"""What a faster implementation may compute in a block's place: operations on tensors, each optional."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Heads(NamedTuple):
    """The sizes of an attention layer: heads of queries, heads of keys and values, numbers in each.

    `norm` is the kind of norm of queries and keys, `window` how many tokens each one sees; None: no norm, all.
    `rotary` is how many numbers of a head rotate, where positions are rotary.
    """

    queries: int
    keys: int
    size: int
    norm: str | None
    window: int | None
    scale: float
    epsilon: float
    rotary: int


class Matrix(NamedTuple):
    """A matrix (out, in) and its bias (out,)."""

    weight: Tensor
    bias: Tensor | None


class Kernels:
    """None of them: each method returns None for what it cannot compute, and plain torch computes it instead."""

    def norm(
        self,
        x: Tensor,
        kind: str,
        weight: Tensor | None,
        bias: Tensor | None,
        epsilon: float,
        mix_weights: Tensor | None,
    ) -> Tensor | None:
        """Norm x (B, T, C) with weight and bias (C,), then add earlier rows by `mix_weights` (window, C)."""
        return None

    def attention(self, qkv: Tensor, rope: Tensor | None, heads: Heads, dropout: float) -> Tensor | None:
        """Mix the values of qkv (B, T, (H + 2 K) D) into (B, T, H D); `rope` (T, D/2, 2)."""
        return None

    def feed_forward(self, x: Tensor, activation: str, widen: Matrix | None, narrow: Matrix | None) -> Tensor | None:
        """x (B, T, C) -> (B, T, C), or (B, T, F) where there is no matrix that narrows it again."""
        return None

    def add(self, x: Tensor, y: Tensor, dropout: float) -> Tensor | None:
        """Return x plus y after dropout, all (B, T, C)."""
        return None


PLAIN = Kernels()
