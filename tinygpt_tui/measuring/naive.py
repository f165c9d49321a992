"""nanoGPT's way of generating, which everything is compared with; it shares no code with the engines.

The net is written out here as nanoGPT writes it (modules, dropout of nothing, one product for q, k and v), with the
names of its weights, so that it is an independent witness of what the engines answer.
Source: Karpathy, nanoGPT, model.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinygpt_tui.settings.architecture import GPTSettings


class _Norm(nn.Module):
    """LayerNorm with a bias that can be left out."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) -> (..., C)."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class _Attention(nn.Module):
    """All positions at once, no memory."""

    def __init__(self, width: int, n_head: int, bias: bool) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width, bias=bias), nn.Linear(width, width, bias=bias)
        self.resid_dropout, self.n_head, self.width = nn.Dropout(0.0), n_head, width

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        B, T, C = x.size()  # batch, time, channels
        q, k, v = self.c_attn(x).split(self.width, dim=2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=0, is_causal=True)
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        mixed: Tensor = self.resid_dropout(self.c_proj(y))
        return mixed


class _MLP(nn.Module):
    """Four times wider, GELU, and back."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.c_fc, self.gelu = nn.Linear(width, 4 * width, bias=bias), nn.GELU()
        self.c_proj, self.dropout = nn.Linear(4 * width, width, bias=bias), nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        y: Tensor = self.dropout(self.c_proj(self.gelu(self.c_fc(x))))
        return y


class _Block(nn.Module):
    """Attention, then MLP."""

    def __init__(self, width: int, n_head: int, bias: bool) -> None:
        super().__init__()
        self.ln_1, self.attn = _Norm(width, bias), _Attention(width, n_head, bias)
        self.ln_2, self.mlp = _Norm(width, bias), _MLP(width, bias)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        x = x + self.attn(self.ln_1(x))
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class NaiveGPT(nn.Module):
    """nanoGPT's net and its `generate`. Only the last position's logits are computed, as there."""

    def __init__(self, settings: GPTSettings) -> None:
        """`settings` of nanoGPT's form: learned positions, a tied head, biases everywhere or nowhere."""
        super().__init__()
        width, self.block_size = settings.n_embd, settings.block_size
        blocks = (_Block(width, settings.n_head, settings.bias) for _ in range(settings.n_layer))
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(settings.vocab_size, width),
                "wpe": nn.Embedding(settings.block_size, width),
                "drop": nn.Dropout(0.0),
                "h": nn.ModuleList(blocks),
                "ln_f": _Norm(width, settings.bias),
            }
        )
        self.lm_head = nn.Linear(width, settings.vocab_size, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight  # type: ignore[assignment]

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> logits (B, 1, V) of the last position."""
        parts: Any = self.transformer
        positions = torch.arange(0, ids.size(1), dtype=torch.long, device=ids.device)
        x = parts["drop"](parts["wte"](ids) + parts["wpe"](positions))
        for block in parts["h"]:
            x = block(x)
        logits: Tensor = self.lm_head(parts["ln_f"](x)[:, [-1], :])
        return logits

    def generate(self, ids: list[int], count: int, temperature: float = 1.0) -> Iterator[int]:
        """Yield `count` ids after `ids`; each reads the last block_size again. Temperature 0 is greedy."""
        with torch.no_grad():
            context = torch.tensor([ids])
            for _ in range(count):
                seen = context if context.size(1) <= self.block_size else context[:, -self.block_size :]
                logits = self(seen)[:, -1, :]
                if temperature:
                    chances = functional.softmax(logits / temperature, dim=-1)
                    next_id = torch.multinomial(chances, num_samples=1)
                else:
                    next_id = logits.argmax(dim=-1, keepdim=True)
                context = torch.cat((context, next_id), dim=1)
                yield int(next_id.item())
