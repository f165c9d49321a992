"""Causal self-attention with its two ways of knowing where a token stands."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.norms import normalise
from tinygpt_tui.settings.architecture import GPTSettings


def rotation_table(block_size: int, head_size: int, base: float = 10_000.0) -> Tensor:
    """Return cosine and sine of RoPE's angles, (T, D/2, 2) float32.

    Pair i of the head turns by `position * base ** (-2 i / D)`. Source: Su et al. 2021, eq. 15.
    """
    frequencies = base ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
    angles = torch.outer(torch.arange(block_size, dtype=torch.float64), frequencies)
    return torch.stack((angles.cos(), angles.sin()), dim=-1).float()


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn neighbouring pairs of `x` (B, H, T, D) by `turns` (T, D/2, 2); returns (B, H, T, D).

    One complex product is the cheapest form where operations run one by one; a compiler cannot fuse complex numbers
    and gets the same arithmetic as reals.
    """
    if torch.compiler.is_compiling():
        even, odd = x[..., 0::2], x[..., 1::2]
        cosine, sine = turns.unbind(-1)
        return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1).flatten(-2)
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * torch.view_as_complex(turns)).flatten(-2).type_as(x)


def attend(q: Tensor, k: Tensor, v: Tensor, scale: float, dropout: float = 0.0) -> Tensor:
    """Mix values by causal attention.

    q (B, H, T, D); k and v (B, H, S, D) with S >= T: the last T of the S keys are the queries' own positions.
    Returns (B, H, T, D). Source: Vaswani et al. 2017, eq. 1.
    """
    T, S = q.shape[-2], k.shape[-2]
    if T == S:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, dropout_p=dropout)
    if T == 1:
        return F.scaled_dot_product_attention(q, k, v, scale=scale)
    visible = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(S - T)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=scale)


class CausalSelfAttention(nn.Module):
    """Each token asks (query) all earlier ones (key) and takes what they have to say (value)."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        C = settings.n_embd
        self.n_head = settings.n_head
        self.c_attn = nn.Linear(C, 3 * C, bias=settings.qkv_bias)  # query, key and value in one product
        self.c_proj = nn.Linear(C, C, bias=settings.bias)
        self.dropout = settings.dropout
        self.attention_dropout = settings.attention_dropout
        self.norm = settings.norm if settings.qk_norm else None
        self.scale = (settings.n_embd if settings.attention_scale == "n_embd" else settings.head_size) ** -0.5

    def forward(self, x: Tensor, turns: Tensor | None, past: tuple[Tensor, Tensor, int] | None = None) -> Tensor:
        """x (B, T, C) -> (B, T, C).

        `turns` (T, D/2, 2) are the rotations of these positions, None with learned positions. `past` is this layer's
        key and value store, each (B, H, block_size, D), and how much of it is filled; new keys are written behind.
        """
        B, T, C = x.shape  # batch, time, channels
        q, k, v = (
            part.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2)
        )  # (B, H, T, D)
        if self.norm is not None:
            q, k = normalise(q, self.norm), normalise(k, self.norm)
        if turns is not None:
            q, k = rotate(q, turns), rotate(k, turns)
        if past is not None:
            keys, values, seen = past
            keys[:, :, seen : seen + T] = k
            values[:, :, seen : seen + T] = v
            k, v = keys[:, :, : seen + T], values[:, :, : seen + T]
        y = attend(q, k, v, self.scale, self.attention_dropout if self.training else 0.0)
        y = self.c_proj(y.transpose(1, 2).reshape(B, T, C))
        return F.dropout(y, self.dropout, self.training) if self.dropout else y
