"""The programs that have no package, as small as can be: the forward passes of nanoGPT and of the lecture."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def nanogpt_logits(checkpoint: dict[str, Any], ids: Tensor) -> Tensor:
    """Return the logits (B, T, V) of a `ckpt.pt`, by the arithmetic of nanoGPT's model.py without its classes."""
    w, args = checkpoint["model"], checkpoint["model_args"]
    C, H = args["n_embd"], args["n_head"]

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"] if args["bias"] else None)

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (C,), w[f"{name}.weight"], w[f"{name}.bias"] if args["bias"] else None, 1e-5)

    B, T = ids.shape
    x = F.embedding(ids, w["transformer.wte.weight"]) + w["transformer.wpe.weight"][:T]
    for layer in range(args["n_layer"]):
        block = f"transformer.h.{layer}"
        q, k, v = (
            part.view(B, T, H, C // H).transpose(1, 2)
            for part in linear(norm(x, f"{block}.ln_1"), f"{block}.attn.c_attn").split(C, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C)
        x = x + linear(y, f"{block}.attn.c_proj")
        x = x + linear(F.gelu(linear(norm(x, f"{block}.ln_2"), f"{block}.mlp.c_fc")), f"{block}.mlp.c_proj")
    return F.linear(norm(x, "transformer.ln_f"), w["lm_head.weight"])


class _Head(nn.Module):
    def __init__(self, C: int, D: int, T: int, scale: float) -> None:
        super().__init__()
        self.key, self.query, self.value = (nn.Linear(C, D, bias=False) for _ in range(3))
        self.register_buffer("tril", torch.tril(torch.ones(T, T)))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        T = x.shape[1]
        scores = self.query(x) @ self.key(x).transpose(-2, -1) * self.scale
        scores = scores.masked_fill(self.tril[:T, :T] == 0, float("-inf"))  # type: ignore[index]
        mixed: Tensor = F.softmax(scores, dim=-1) @ self.value(x)
        return mixed


class _Heads(nn.Module):
    def __init__(self, C: int, H: int, T: int, scale: float) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_Head(C, C // H, T, scale) for _ in range(H))
        self.proj = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.proj(torch.cat([head(x) for head in self.heads], dim=-1))
        return mixed


class _FeedForward(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(C, 4 * C), nn.ReLU(), nn.Linear(4 * C, C))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y


class _Block(nn.Module):
    def __init__(self, C: int, H: int, T: int, scale: float) -> None:
        super().__init__()
        self.sa, self.ffwd = _Heads(C, H, T, scale), _FeedForward(C)
        self.ln1, self.ln2 = nn.LayerNorm(C), nn.LayerNorm(C)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.sa(self.ln1(x))
        y: Tensor = x + self.ffwd(self.ln2(x))
        return y


class LectureGPT(nn.Module):
    """The lecture's final model, whose state dict is loaded strictly."""

    def __init__(self, V: int, T: int, C: int, H: int, L: int, scale: float) -> None:
        super().__init__()
        self.token_embedding_table = nn.Embedding(V, C)
        self.position_embedding_table = nn.Embedding(T, C)
        self.blocks = nn.Sequential(*(_Block(C, H, T, scale) for _ in range(L)))
        self.ln_f = nn.LayerNorm(C)
        self.lm_head = nn.Linear(C, V)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embedding_table(ids) + self.position_embedding_table.weight[: ids.shape[1]]
        logits: Tensor = self.lm_head(self.ln_f(self.blocks(x)))
        return logits
