"""Causal self-attention with its two ways of knowing where a token stands."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.kernels import PLAIN, Kernels
from tinygpt_tui.architectures.memory import Ragged
from tinygpt_tui.architectures.norms import normalise
from tinygpt_tui.settings.architecture import GPTSettings


def rope_table(positions: int, head_size: int, base: float = 10_000.0, start: int = 0) -> Tensor:
    """Return `rotations` of `positions` places from `start` on, (T, D/2, 2)."""
    return rope_at(torch.arange(start, start + positions), head_size, base)


def rope_at(places: Tensor, head_size: int, base: float = 10_000.0) -> Tensor:
    """Return cosine and sine of RoPE's angles at `places` (N,), (N, D/2, 2) float32.

    Pair i of the head rope by `place * base ** (-2 i / D)`. Source: Su et al. 2021, eq. 15.
    """
    frequencies = base ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
    angles = torch.outer(places.double(), frequencies)
    return torch.stack((angles.cos(), angles.sin()), dim=-1).float()


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Turn neighbouring pairs of `x` (B, H, T, D) by `rope` (T, D/2, 2) or (B, 1, T, D/2, 2); returns (B, H, T, D).

    One complex product is the cheapest form on the processor, where operations run one by one. A compiler cannot fuse
    complex numbers, and not every accelerator has them: there it is the same arithmetic in real ones.
    """
    if torch.compiler.is_compiling() or x.device.type != "cpu":
        even, odd = x[..., 0::2], x[..., 1::2]
        cosine, sine = rope.unbind(-1)
        turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1)
        return turned.flatten(-2).type_as(x)
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * torch.view_as_complex(rope)).flatten(-2).type_as(x)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float,
    dropout: float = 0.0,
    window: int | None = None,
    visible: Tensor | None = None,
) -> Tensor:
    """Mix values by causal attention.

    q (B, H, T, D); k and v (B, H, S, D) with S >= T: the last T of the S keys are the queries' own positions. With
    `window` each position sees itself and the `window - 1` before it; or `visible` (B, 1, T, S) says what is seen.
    Returns (B, H, T, D). Sources: Vaswani et al. 2017, eq. 1; Beltagy et al. 2020 (the sliding window).
    """
    T, S = q.shape[-2], k.shape[-2]
    if visible is not None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=scale)
    if window is not None and window < S:
        pieces = [
            _attend_sliding(q[:, :, start : start + window], k, v, S - T + start, window, scale, dropout)
            for start in range(0, T, window)
        ]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)
    if T == S:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, dropout_p=dropout)
    if T == 1:
        return F.scaled_dot_product_attention(q, k, v, scale=scale)
    visible = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(S - T)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=scale)


def update_kv_cache(store: Tensor, new: Tensor, seen: int | Ragged) -> Tensor:
    """Write `new` (B, H, T, D), behind which `seen` tokens stand, into `store` (B, H, room, D); return all rows.

    A ring: the row of token t is t modulo the room, and what does not fit takes the place of the oldest. Several new
    tokens are returned in the text's order, behind all that they may see; a single one with what lies in the store:
    attention does not ask in which order. Of texts of different lengths, `Ragged.visible` says what is theirs.
    """
    room, T = store.shape[2], new.shape[2]
    if isinstance(seen, Ragged):
        store[seen.rows, :, seen.slots(room)] = new[:, :, 0]
        return store[:, :, : min(seen.longest + 1, room)]
    if seen + T <= room or T == 1:
        store[:, :, seen % room :][:, :, :T] = new
        return store[:, :, : seen + T]
    before = store[:, :, :seen] if seen <= room else store.roll(-(seen % room), dims=2)
    rows = torch.cat((before, new), dim=2)
    store.copy_(rows[:, :, -room:].roll((seen + T) % room, dims=2))
    return rows


def _attend_sliding(q: Tensor, k: Tensor, v: Tensor, at: int, window: int, scale: float, dropout: float) -> Tensor:
    """Mix values for at most `window` queries, of which the first stands at position `at` of the keys.

    A piece at a time: the scores of a long text would otherwise be mostly ones that nobody may see.
    """
    T = q.shape[-2]
    first = max(0, at - window + 1)
    k, v = k[:, :, first : at + T], v[:, :, first : at + T]
    if at == 0:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, dropout_p=dropout)
    visible = torch.ones(T, k.shape[-2], dtype=torch.bool, device=q.device)
    visible = visible.tril(at - first).triu(at - first - window + 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=scale, dropout_p=dropout)


class CausalSelfAttention(nn.Module):
    """Each token asks (query) all earlier ones (key) and takes what they have to say (value)."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        C, D = settings.n_embd, settings.head_size
        self.n_head, self.kv_heads, self.head_size = settings.n_head, settings.kv_heads, D
        self.shared = self.n_head // self.kv_heads  # query heads to one of keys and values
        # Query, key and value in one product.
        self.c_attn = nn.Linear(C, (self.n_head + 2 * self.kv_heads) * D, bias=settings.qkv_bias)
        self.c_proj = nn.Linear(self.n_head * D, C, bias=settings.bias) if settings.projection else nn.Identity()
        self.attention_dropout = settings.attention_dropout
        self.norm = settings.norm if settings.qk_norm else None
        self.window = settings.block_size if settings.sliding else None
        self.scale = (settings.n_embd if settings.attention_scale == "n_embd" else settings.head_size) ** -0.5

    def forward(
        self,
        x: Tensor,
        rope: Tensor | None,
        past: tuple[Tensor, Tensor, int | Ragged] | None = None,
        kernels: Kernels = PLAIN,
    ) -> Tensor:
        """x (B, T, C) -> (B, T, C).

        `rope`, as `rotate` takes them, are the rotations of these positions, None with learned positions. `past` is
        this layer's key and value store, each (B, kv heads, block_size, D), and how many tokens were seen; new keys are
        written behind. Where attention slides, the oldest make room for them.
        """
        y: Tensor = self.c_proj(kernels.attention(self, self.c_attn(x), rope, past))
        return y

    def mix(self, qkv: Tensor, rope: Tensor | None, past: tuple[Tensor, Tensor, int | Ragged] | None = None) -> Tensor:
        """Mix the values of qkv (B, T, all heads' widths) into (B, T, H D); the rest as in `forward`."""
        B, T, _ = qkv.shape  # batch, time, channels
        D, widths = self.head_size, [self.n_head * self.head_size, *[self.kv_heads * self.head_size] * 2]
        q, k, v = (
            part.view(B, T, -1, D).transpose(1, 2) for part in torch.split(qkv, widths, dim=2)
        )  # (B, heads, T, D)
        if self.norm is not None:
            q, k = normalise(q, self.norm), normalise(k, self.norm)
        if rope is not None:
            q, k = rotate(q, rope), rotate(k, rope)
        visible = None
        if past is not None:
            keys, values, seen = past
            k, v = update_kv_cache(keys, k, seen), update_kv_cache(values, v, seen)
            visible = seen.visible(keys.shape[2]) if isinstance(seen, Ragged) else None
        if self.shared > 1:
            k, v = k.repeat_interleave(self.shared, dim=1), v.repeat_interleave(self.shared, dim=1)
        y = attend(q, k, v, self.scale, self.attention_dropout if self.training else 0.0, self.window, visible)
        return y.transpose(1, 2).reshape(B, T, self.n_head * D)
