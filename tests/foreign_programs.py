"""Small stand-ins for the programs whose checkpoints are opened: their names, their arithmetic, in a few lines each.

Every class here saves what its program saves; its forward pass is written plainly, so that it can be wrong only by
itself.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def mixed(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """Attention of one head: q, k, v (B, T, D)."""
    scores = q @ k.transpose(-2, -1) * scale
    T = scores.shape[-1]
    return scores.masked_fill(torch.ones(T, T).tril() == 0, -math.inf).softmax(-1) @ v


class Head(nn.Module):
    def __init__(self, C: int, size: int, T: int, scale: float) -> None:
        super().__init__()
        self.key, self.query, self.value = (nn.Linear(C, size, bias=False) for _ in range(3))
        self.register_buffer("tril", torch.ones(T, T).tril())
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return mixed(self.query(x), self.key(x), self.value(x), self.scale)


class Heads(nn.Module):
    def __init__(self, C: int, H: int, size: int, T: int, scale: float, proj: bool) -> None:
        super().__init__()
        self.heads = nn.ModuleList(Head(C, size, T, scale) for _ in range(H))
        if proj:
            self.proj = nn.Linear(H * size, C)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([head(x) for head in self.heads], dim=-1)
        return self.proj(y) if hasattr(self, "proj") else y


class FeedForward(nn.Module):
    def __init__(self, C: int, hidden: int) -> None:
        super().__init__()
        self.net = (
            nn.Sequential(nn.Linear(C, hidden), nn.ReLU(), nn.Linear(hidden, C))
            if hidden
            else nn.Sequential(nn.Linear(C, C), nn.ReLU())
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class LectureBlock(nn.Module):
    def __init__(
        self, names: tuple[str, str], heads: Heads, ff: FeedForward, C: int, norm: bool, residual: bool
    ) -> None:
        super().__init__()
        self.names, self.residual = names, residual
        setattr(self, names[0], heads)
        setattr(self, names[1], ff)
        if norm:
            self.ln1, self.ln2 = nn.LayerNorm(C), nn.LayerNorm(C)

    def forward(self, x: Tensor) -> Tensor:
        for name, norm in zip(self.names, ("ln1", "ln2"), strict=True):
            y = getattr(self, name)(getattr(self, norm)(x) if hasattr(self, norm) else x)
            x = x + y if self.residual else y
        return x


class Lecture(nn.Module):
    """The lecture's model in any of its stages and spellings."""

    def __init__(
        self, V: int = 65, T: int = 12, C: int = 24, H: int = 3, L: int = 2, *, scale: str = "head_size", size: int = 0,
        hidden: int | None = None, names: tuple[str, str] = ("sa", "ffwd"), norm: bool = True, proj: bool = True,
        residual: bool = True, final: str = "ln_f", embedding: str = "_table",
    ) -> None:  # fmt: skip
        super().__init__()
        size = size or C // H
        factor = (size if scale == "head_size" else C) ** -0.5
        self.embedding = embedding
        setattr(self, f"token_embedding{embedding}", nn.Embedding(V, C))
        setattr(self, f"position_embedding{embedding}", nn.Embedding(T, C))
        hidden = 4 * C if hidden is None else hidden
        blocks: list[nn.Module] = [
            LectureBlock(names, Heads(C, H, size, T, factor, proj), FeedForward(C, hidden), C, norm, residual)
            for _ in range(L)
        ]
        if final == "blocks":
            blocks.append(nn.LayerNorm(C))
        self.blocks = nn.Sequential(*blocks)
        if final == "ln_f":
            self.ln_f = nn.LayerNorm(C)
        self.lm_head = nn.Linear(C, V)
        if names[0] == "mha":
            self.register_buffer("timesteps", torch.arange(T))

    def forward(self, ids: Tensor) -> Tensor:
        tokens, positions = (getattr(self, f"{kind}_embedding{self.embedding}") for kind in ("token", "position"))
        x = self.blocks(tokens(ids) + positions(torch.arange(ids.shape[1])))
        return self.lm_head(self.ln_f(x) if hasattr(self, "ln_f") else x)


class OneHead(nn.Module):
    """The lecture before there were blocks: attention alone, of one head or several."""

    def __init__(self, V: int = 65, T: int = 8, C: int = 16, H: int = 1, feed_forward: bool = False) -> None:
        super().__init__()
        self.token_embedding_table, self.position_embedding_table = nn.Embedding(V, C), nn.Embedding(T, C)
        if H == 1:
            self.sa_head = Head(C, C, T, C**-0.5)
        else:
            self.sa_heads = Heads(C, H, C // H, T, (C // H) ** -0.5, proj=False)
        if feed_forward:
            self.ffwd = FeedForward(C, 0)
        self.lm_head = nn.Linear(C, V)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embedding_table(ids) + self.position_embedding_table(torch.arange(ids.shape[1]))
        x = self.sa_head(x) if hasattr(self, "sa_head") else self.sa_heads(x)
        return self.lm_head(self.ffwd(x) if hasattr(self, "ffwd") else x)


class Fused(nn.Module):
    """Attention with one matrix for query, key and value, as nanoGPT and minGPT have it."""

    def __init__(self, C: int, H: int, T: int, bias: bool, mask: bool) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(C, 3 * C, bias=bias), nn.Linear(C, C, bias=bias)
        self.H = H
        if mask:
            self.register_buffer("bias", torch.ones(T, T).tril().view(1, 1, T, T))

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.H, C // self.H).transpose(1, 2) for part in self.c_attn(x).split(C, dim=2))
        return self.c_proj(mixed(q, k, v, (C // self.H) ** -0.5).transpose(1, 2).reshape(B, T, C))


class FusedBlock(nn.Module):
    def __init__(self, C: int, H: int, T: int, bias: bool, mask: bool, tanh: bool) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(C, bias=bias), nn.LayerNorm(C, bias=bias)
        self.attn = Fused(C, H, T, bias, mask)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(C, 4 * C, bias=bias), "c_proj": nn.Linear(4 * C, C, bias=bias)})
        self.approximate = "tanh" if tanh else "none"

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate=self.approximate))


class NanoGPT(nn.Module):
    """nanoGPT's and minGPT's model."""

    def __init__(
        self, V: int = 65, T: int = 12, C: int = 24, H: int = 4, L: int = 2, *, bias: bool = True, mask: bool = False,
        tanh: bool = False, tied: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        blocks = nn.ModuleList(FusedBlock(C, H, T, bias, mask, tanh) for _ in range(L))
        self.transformer = nn.ModuleDict(
            {"wte": nn.Embedding(V, C), "wpe": nn.Embedding(T, C), "h": blocks, "ln_f": nn.LayerNorm(C, bias=bias)}
        )
        self.lm_head = nn.Linear(C, V, bias=False)
        if tied:
            self.transformer["wte"].weight = self.lm_head.weight
        self.arguments: dict[str, Any] = {
            "n_layer": L, "n_head": H, "n_embd": C, "block_size": T, "bias": bias, "vocab_size": V, "dropout": 0.0,
        }  # fmt: skip

    def forward(self, ids: Tensor) -> Tensor:
        parts = self.transformer
        x = parts["wte"](ids) + parts["wpe"](torch.arange(ids.shape[1]))
        for block in parts["h"]:
            x = block(x)
        return self.lm_head(parts["ln_f"](x))


class Early(nn.Module):
    """minGPT's attention of 2020: a layer each for key, query and value."""

    def __init__(self, C: int, H: int, T: int) -> None:
        super().__init__()
        self.key, self.query, self.value, self.proj = (nn.Linear(C, C) for _ in range(4))
        self.register_buffer("mask", torch.ones(T, T).tril().view(1, 1, T, T))
        self.n_head = H

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        k, q, v = (
            layer(x).view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            for layer in (self.key, self.query, self.value)
        )
        return self.proj(mixed(q, k, v, (C // self.n_head) ** -0.5).transpose(1, 2).reshape(B, T, C))


class EarlyBlock(nn.Module):
    def __init__(self, C: int, H: int, T: int) -> None:
        super().__init__()
        self.ln1, self.ln2, self.attn = nn.LayerNorm(C), nn.LayerNorm(C), Early(C, H, T)
        self.mlp = nn.Sequential(nn.Linear(C, 4 * C), nn.GELU(), nn.Linear(4 * C, C), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class MinGPT2020(nn.Module):
    """minGPT's model of 2020."""

    def __init__(self, V: int = 65, T: int = 12, C: int = 24, H: int = 4, L: int = 2) -> None:
        super().__init__()
        self.tok_emb, self.pos_emb = nn.Embedding(V, C), nn.Parameter(torch.zeros(1, T, C))
        self.blocks = nn.Sequential(*(EarlyBlock(C, H, T) for _ in range(L)))
        self.ln_f, self.head = nn.LayerNorm(C), nn.Linear(C, V, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.ln_f(self.blocks(self.tok_emb(ids) + self.pos_emb[:, : ids.shape[1]])))


class RMSNorm(nn.Module):
    def __init__(self, C: int, epsilon: float) -> None:
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(C)), epsilon

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


class LlamaAttention(nn.Module):
    def __init__(self, C: int, H: int, KV: int) -> None:
        super().__init__()
        self.H, self.KV, self.D = H, KV, C // H
        self.wq, self.wo = nn.Linear(C, C, bias=False), nn.Linear(C, C, bias=False)
        self.wk, self.wv = nn.Linear(C, KV * self.D, bias=False), nn.Linear(C, KV * self.D, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        B, T, _ = x.shape
        angles = torch.outer(torch.arange(T), 10_000.0 ** (-torch.arange(0, self.D, 2) / self.D))

        def turned(y: Tensor) -> Tensor:  # (B, T, heads, D)
            pairs = torch.view_as_complex(y.reshape(*y.shape[:-1], -1, 2))
            return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)[:, None]).flatten(3)

        q = turned(self.wq(x).view(B, T, self.H, self.D))
        k = turned(self.wk(x).view(B, T, self.KV, self.D))
        v = self.wv(x).view(B, T, self.KV, self.D)
        group = self.H // self.KV
        heads = [mixed(q[:, :, h], k[:, :, h // group], v[:, :, h // group], self.D**-0.5) for h in range(self.H)]
        return self.wo(torch.cat(heads, dim=-1))


class LlamaBlock(nn.Module):
    def __init__(self, C: int, H: int, KV: int, hidden: int, epsilon: float) -> None:
        super().__init__()
        self.attention = LlamaAttention(C, H, KV)
        wide = {name: nn.Linear(C, hidden, bias=False) for name in ("w1", "w3")}
        self.feed_forward = nn.ModuleDict({**wide, "w2": nn.Linear(hidden, C, bias=False)})
        self.attention_norm, self.ffn_norm = RMSNorm(C, epsilon), RMSNorm(C, epsilon)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        h, ff = self.ffn_norm(x), self.feed_forward
        return x + ff["w2"](F.silu(ff["w1"](h)) * ff["w3"](h))


class Llama(nn.Module):
    """llama2.c's model."""

    def __init__(
        self, V: int = 40, T: int = 10, C: int = 24, H: int = 4, KV: int = 2, L: int = 2, *, hidden: int = 40,
        tied: bool = True, epsilon: float = 1e-5,
    ) -> None:  # fmt: skip
        super().__init__()
        self.tok_embeddings = nn.Embedding(V, C)
        self.layers = nn.ModuleList(LlamaBlock(C, H, KV, hidden, epsilon) for _ in range(L))
        self.norm, self.output = RMSNorm(C, epsilon), nn.Linear(C, V, bias=False)
        if tied:
            self.tok_embeddings.weight = self.output.weight
        self.arguments = {
            "dim": C, "n_layers": L, "n_heads": H, "n_kv_heads": KV, "vocab_size": V, "multiple_of": 8,
            "max_seq_len": T, "dropout": 0.0, "norm_eps": epsilon,
        }  # fmt: skip

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tok_embeddings(ids)
        for layer in self.layers:
            x = layer(x)
        return self.output(self.norm(x))


class Scale(nn.Module):
    """GPTnano's LayerNorm, whose weights are called `weights`."""

    def __init__(self, C: int) -> None:
        super().__init__()
        self.weights, self.bias = nn.Parameter(torch.ones(C)), None

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights, None, 1e-5)


class NanoBlock(nn.Module):
    def __init__(self, C: int, H: int) -> None:
        super().__init__()
        self.norm1, self.norm3 = Scale(C), Scale(C)
        attention = {"c_attn": nn.Linear(C, 3 * C, bias=False), "proj_layer": nn.Linear(C, C)}
        self.self_attention = nn.ModuleDict(attention)
        self.mlp = nn.ModuleDict({"ffnn": nn.Linear(C, 4 * C), "proj": nn.Linear(4 * C, C)})
        self.H = H

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        x = self.norm1(x)
        q, k, v = (
            part.view(B, T, self.H, C // self.H).transpose(1, 2)
            for part in self.self_attention["c_attn"](x).split(C, dim=-1)
        )
        y = mixed(q, k, v, (C // self.H) ** -0.5).transpose(1, 2).reshape(B, T, C)
        x = self.norm3(x + self.self_attention["proj_layer"](y))
        return x + self.mlp["proj"](F.gelu(self.mlp["ffnn"](x)))


class Waves(nn.Module):
    def __init__(self, C: int, longest: int = 200) -> None:
        super().__init__()
        angles = torch.arange(longest)[:, None] * torch.exp(torch.arange(0, C, 2) * (-math.log(10_000.0) / C))
        self.register_buffer("pe", torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1))


class GPTnano(nn.Module):
    """GPTnano's GPT."""

    def __init__(self, V: int = 70, C: int = 24, H: int = 3, L: int = 2) -> None:
        super().__init__()
        self.token_embedding_table, self.position_embedding_table = nn.Embedding(V, C), Waves(C)
        self.attn_blocks = nn.ModuleList(NanoBlock(C, H) for _ in range(L))
        self.lm_head = nn.Linear(C, V)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embedding_table(ids) + self.position_embedding_table.pe[: ids.shape[1]]
        for block in self.attn_blocks:
            x = block(x)
        return self.lm_head(x)


class NanoCell(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = Scale(C), Scale(C)
        self.recurrent = nn.ModuleDict(
            {
                "input_weights": nn.Linear(C, 2 * C),
                "hidden_weights": nn.Linear(2 * C, 2 * C, bias=False),
                "output_weights": nn.Linear(2 * C, C),
            }
        )
        self.mlp = nn.ModuleDict({"ffnn": nn.Linear(C, 4 * C), "proj": nn.Linear(4 * C, C)})

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        parts = self.recurrent
        state = torch.tanh(parts["input_weights"](self.norm1(x)) + parts["hidden_weights"](state))
        x = x + torch.tanh(parts["output_weights"](state))
        return x + self.mlp["proj"](F.gelu(self.mlp["ffnn"](self.norm2(x)))), state


class GPTnanoRNN(nn.Module):
    """GPTnano's Elman network: every block reads the embedding, so the last one alone is heard."""

    def __init__(self, V: int = 70, C: int = 12, L: int = 3) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(V, C)
        self.recurrent_blocks = nn.ModuleList(NanoCell(C) for _ in range(L))
        self.lm_head = nn.Linear(C, V)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids)
        states = [x.new_zeros(x.shape[0], 2 * x.shape[2]) for _ in self.recurrent_blocks]
        logits = []
        for t in range(ids.shape[1]):
            for number, block in enumerate(self.recurrent_blocks):
                y, states[number] = block.step(x[:, t], states[number])
            logits.append(self.lm_head(y))
        return torch.stack(logits, dim=1)


def made(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every weight a random value, biases and norms too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()
