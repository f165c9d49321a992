"""The transformer's parts, from the bottom up: norms, activations, rotary positions, attention, MLP, block.

In the shapes: B texts, T new tokens, S tokens seen with them, C channels, H heads of D numbers, K heads of keys and
values, F numbers inside the MLP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.extras import TokenShift
from tinygpt_tui.architectures.kernels import PLAIN, Heads, Kernels, Matrix
from tinygpt_tui.architectures.memory import Ragged
from tinygpt_tui.settings.architecture import GPTSettings

EPSILON = 1e-5

KVCache = tuple[Tensor, Tensor, int | Ragged]
"""A layer's keys and values, each (B, K, block_size, D), and how many tokens are already in them."""


# Norms


def normalise(
    x: Tensor, kind: str, weight: Tensor | None = None, bias: Tensor | None = None, epsilon: float = EPSILON
) -> Tensor:
    """Scale the last axis of x (..., C) to unit variance, "layernorm" also to mean zero; "none" returns x.

    Sources: Ba et al. 2016, eq. 4 (layernorm); Zhang and Sennrich 2019, eq. 4 (rmsnorm).
    """
    if kind == "none":
        return x
    if kind == "rmsnorm":
        return F.rms_norm(x, x.shape[-1:], weight, epsilon)
    return F.layer_norm(x, x.shape[-1:], weight, bias, epsilon)


class Norm(nn.Module):
    """The norm of the settings; without learned weights it has no parameters."""

    def __init__(self, settings: GPTSettings, *, present: bool = True, of_heads: bool = False) -> None:
        """With `present` false it returns its input; `of_heads`: for queries or keys, which have no bias."""
        super().__init__()
        self.kind = settings.norm if present else "none"
        self.epsilon = settings.epsilon
        learned = (settings.qk_norm_weight if of_heads else settings.norm_weight) and self.kind != "none"
        biased = learned and settings.bias and self.kind == "layernorm" and not of_heads
        width = settings.head_size if of_heads else settings.n_embd
        self.weight = nn.Parameter(torch.ones(width)) if learned else None
        self.bias = nn.Parameter(torch.zeros(settings.n_embd)) if biased else None

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) -> (..., C)."""
        return normalise(x, self.kind, self.weight, self.bias, self.epsilon)


# Activations


def activate(x: Tensor, kind: str) -> Tensor:
    """Apply the non-linearity `kind`, of a gated MLP that of the gate, to every number of x (any shape).

    Sources: Hendrycks and Gimpel 2016 (gelu, its tanh form, silu); So et al. 2021 (squared ReLU); Shazeer 2020 (gates).
    """
    if kind in ("swiglu", "silu"):
        return F.silu(x)
    if kind == "relu_squared":
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return F.relu(x).square()
        squared: Tensor = _ReluSquared.apply(x)  # type: ignore[no-untyped-call]
        return squared
    if kind in ("relu", "reglu"):
        return F.relu(x)
    if kind == "glu":
        return x.sigmoid()
    return F.gelu(x, approximate="tanh" if kind in ("gelu_tanh", "geglu_tanh") else "none")


class _ReluSquared(torch.autograd.Function):
    """`relu(x) ** 2` of any shape; saves only relu(x), which is two passes over memory fewer than autograd's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        squared: Tensor = positive * positive
        return squared

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        slope: Tensor = gradients[0] * positive
        return slope.mul_(2)


# Rotary positions


def rope_table(positions: int, frequencies: Sequence[float], start: int = 0) -> Tensor:
    """Return `rope_at` for `positions` places from `start`, (T, R/2, 2)."""
    return rope_at(torch.arange(start, start + positions), frequencies)


def rope_at(places: Tensor, frequencies: Sequence[float]) -> Tensor:
    """Return cosine and sine of RoPE's angles, `frequencies` (R/2,) times `places` (N,): (N, R/2, 2) float32."""
    angles = torch.outer(places.double(), torch.tensor(frequencies, dtype=torch.float64, device=places.device))
    return torch.stack((angles.cos(), angles.sin()), dim=-1).float()


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Rotate neighbouring pairs of x (B, H, T, D) by `rope` (T, R/2, 2) or (B, 1, T, R/2, 2); returns (B, H, T, D).

    Of a head only the first R numbers are rotated; they may be all.
    One complex product is fastest on the processor, where operations run one by one. A compiler cannot fuse complex
    numbers, and not every accelerator has them: there it is the same arithmetic in real ones.
    """
    width = 2 * rope.shape[-2]
    if width < x.shape[-1]:
        return torch.cat((rotate(x[..., :width], rope), x[..., width:]), dim=-1)
    if torch.compiler.is_compiling() or x.device.type != "cpu":
        even, odd = x[..., 0::2], x[..., 1::2]
        cosine, sine = rope.unbind(-1)
        rotated = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1)
        return rotated.flatten(-2).type_as(x)
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * torch.view_as_complex(rope)).flatten(-2).type_as(x)


# Attention


class CausalSelfAttention(nn.Module):
    """Each token sends a query to all earlier ones; the better a key matches it, the more of that value it takes."""

    def __init__(self, settings: GPTSettings, layer: int = 0) -> None:
        super().__init__()
        C, D, H, K = settings.n_embd, settings.head_size, settings.n_head, settings.kv_heads
        # Query, key and value in one product.
        self.c_attn = nn.Linear(C, (H + 2 * K) * D, bias=settings.qkv_bias)
        self.c_proj = nn.Linear(H * D, C, bias=settings.bias) if settings.projection else nn.Identity()
        self.q_norm = Norm(settings, of_heads=True) if settings.qk_norm_weight else None
        self.k_norm = Norm(settings, of_heads=True) if settings.qk_norm_weight else None
        self.dropout = settings.attention_dropout
        self.is_local = settings.window_of(layer) < settings.block_size
        self.heads = Heads(
            queries=H,
            keys=K,
            size=D,
            norm=settings.norm if settings.qk_norm else None,
            window=settings.window_of(layer) if settings.sliding or self.is_local else None,
            scale=settings.score_scale,
            epsilon=settings.epsilon,
            rotary=settings.rotary_width or D,
        )
        self.slopes: Tensor | None
        slopes = torch.tensor(settings.alibi_slopes) if settings.positions == "alibi" else None
        self.register_buffer("slopes", slopes, persistent=False)

    def forward(self, x: Tensor, rope: Tensor | None, cache: KVCache | None = None, kernels: Kernels = PLAIN) -> Tensor:
        """x (B, T, C) -> (B, T, C).

        `rope`, as `rotate` takes it, is of these positions; None with learned positions. New keys and values are
        written into `cache`, where there is one; where attention slides, they replace the oldest.
        """
        B, T, _ = x.shape
        H, K, D, norm, window, scale, epsilon, _ = self.heads
        dropout = self.dropout if self.training else 0.0
        qkv = self.c_attn(x)  # (B, T, (H + 2 K) D)
        fusible = cache is None and self.q_norm is None and self.slopes is None
        y = kernels.attention(qkv, rope, self.heads, dropout) if fusible else None
        if y is None:
            q, k, v = (
                part.view(B, T, -1, D).transpose(1, 2) for part in torch.split(qkv, [H * D, K * D, K * D], dim=2)
            )  # q (B, H, T, D); k and v (B, K, T, D)
            if self.q_norm is not None and self.k_norm is not None:
                q, k = self.q_norm(q), self.k_norm(k)
            elif norm is not None:
                q, k = normalise(q, norm, epsilon=epsilon), normalise(k, norm, epsilon=epsilon)
            if rope is not None:
                q, k = rotate(q, rope), rotate(k, rope)
            visible = None
            if cache is not None:
                keys, values, seen = cache
                k, v = update_kv_cache(keys, k, seen), update_kv_cache(values, v, seen)  # (B, K, S, D)
                if isinstance(seen, Ragged):
                    visible = seen.visible(keys.shape[2], window if self.is_local else None)
            if self.is_local and visible is None and window is not None:
                T, S = q.shape[2], k.shape[2]
                visible = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(S - T).triu(S - T - window + 1)
            if self.slopes is not None:
                visible = penalties(self.slopes, q.shape[2], k.shape[2], visible)
            if K < H:  # a group of queries shares one head of keys and values
                k, v = k.repeat_interleave(H // K, dim=1), v.repeat_interleave(H // K, dim=1)
            y = attend(q, k, v, scale, dropout, window, visible)  # (B, H, T, D)
            y = y.transpose(1, 2).reshape(B, T, H * D)  # the heads side by side
        projected: Tensor = self.c_proj(y)
        return projected


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
    `window` each position sees itself and the `window - 1` before it; or `visible`, (T, S) or (B, 1, T, S), says
    what it sees, or as floats what is added to the scores, (H, T, S) or (B, H, T, S).
    Returns (B, H, T, D). Sources: Vaswani et al. 2017, eq. 1; Beltagy et al. 2020 (the sliding window).
    """
    T, S = q.shape[-2], k.shape[-2]
    if visible is not None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=scale, dropout_p=dropout)
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


def penalties(slopes: Tensor, T: int, S: int, visible: Tensor | None) -> Tensor:
    """Return what is added to the scores of the last T of S positions, (H, T, S), or (B, H, T, S) as `visible` is.

    A key gains by its place, which is the same as a penalty by distance: a softmax does not feel a constant.
    """
    if visible is None:
        visible = torch.ones(T, S, dtype=torch.bool, device=slopes.device).tril(S - T)
    gains = slopes[:, None, None] * torch.arange(S, device=slopes.device)  # (H, 1, S)
    return torch.where(visible, gains, -torch.inf)


def _attend_sliding(q: Tensor, k: Tensor, v: Tensor, at: int, window: int, scale: float, dropout: float) -> Tensor:
    """Mix values for at most `window` queries (B, H, T, D), the first of which is at position `at` of the keys.

    A piece at a time: most scores of a long text would otherwise be masked out.
    """
    T = q.shape[-2]
    first = max(0, at - window + 1)
    k, v = k[:, :, first : at + T], v[:, :, first : at + T]
    if at == 0:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, dropout_p=dropout)
    visible = torch.ones(T, k.shape[-2], dtype=torch.bool, device=q.device)
    visible = visible.tril(at - first).triu(at - first - window + 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=scale, dropout_p=dropout)


def update_kv_cache(cache: Tensor, new: Tensor, seen: int | Ragged) -> Tensor:
    """Write `new` (B, H, T, D), the tokens after `seen` others, into `cache` (B, H, room, D); return all rows.

    A ring: the row of token t is t modulo the room, and new tokens replace the oldest. Several new tokens are returned
    in the text's order, after all that they may see; a single one in the cache's order, which attention does not depend
    on. For texts of different lengths, `Ragged.visible` says which rows are theirs.
    """
    room, T = cache.shape[2], new.shape[2]
    if isinstance(seen, Ragged):
        cache[seen.rows, :, seen.slots(room)] = new[:, :, 0]
        return cache[:, :, : min(seen.longest + 1, room)]
    if seen + T <= room or T == 1:
        cache[:, :, seen % room :][:, :, :T] = new
        return cache[:, :, : seen + T]
    before = cache[:, :, :seen] if seen <= room else cache.roll(-(seen % room), dims=2)
    rows = torch.cat((before, new), dim=2)
    cache.copy_(rows[:, :, -room:].roll((seen + T) % room, dims=2))
    return rows


# The block


class MLP(nn.Module):
    """Each token by itself: wider, a non-linearity, and back.

    With a gate (SwiGLU, GEGLU) a third matrix says how much of each number passes. Source: Shazeer 2020, eq. 6.
    """

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        C, hidden = settings.n_embd, settings.hidden_size
        self.c_fc = nn.Linear(C, hidden, bias=settings.bias)
        self.c_gate = nn.Linear(C, hidden, bias=settings.bias) if settings.has_gate else None
        self.c_proj = nn.Linear(hidden, C, bias=settings.bias) if settings.feed_forward == "mlp" else nn.Identity()
        self.activation = settings.activation

    def forward(self, x: Tensor, kernels: Kernels = PLAIN) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        if self.c_gate is None:
            fast = kernels.feed_forward(x, self.activation, _matrix(self.c_fc), _matrix(self.c_proj))
            if fast is not None:
                return fast
        h = self.c_fc(x)  # (B, T, F)
        h = activate(h, self.activation) if self.c_gate is None else activate(self.c_gate(x), self.activation) * h
        y: Tensor = self.c_proj(h)  # (B, T, C)
        return y


class Block(nn.Module):
    """Attention, then the MLP, or both at once: the result of each is added to the stream."""

    def __init__(self, settings: GPTSettings, layer: int = 0) -> None:
        super().__init__()
        self.ln_1 = Norm(settings)
        self.attn = CausalSelfAttention(settings, layer)
        self.ln_2 = self.mlp = None
        if settings.feed_forward != "none":
            self.ln_2, self.mlp = Norm(settings), MLP(settings)
        self.parallel = settings.parallel
        self.residual, self.dropout = settings.residual, settings.dropout
        self.kernels = PLAIN
        window, C = settings.token_shift, settings.n_embd
        self.shift_1 = TokenShift(window, C) if window else None
        self.shift_2 = TokenShift(window, C) if window and self.mlp is not None else None

    def forward(
        self,
        x: Tensor,
        rope: Tensor | None = None,
        cache: KVCache | None = None,
        rows: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """x (B, T, C) -> (B, T, C); `rows` are what the two token shifts saw last, each (B, window, C)."""
        kernels = self.kernels if cache is None and not torch.compiler.is_compiling() else PLAIN
        h = self._input(kernels, x, self.ln_1, self.shift_1, rows[0] if rows else None)
        before = x
        x = self._add(kernels, x, self.attn(h, rope, cache, kernels), self.ln_1)
        if self.ln_2 is None or self.mlp is None:
            return x
        read = before if self.parallel else x
        h = self._input(kernels, read, self.ln_2, self.shift_2, rows[1] if rows else None)
        return self._add(kernels, x, self.mlp(h, kernels), self.ln_2)

    def _input(self, kernels: Kernels, x: Tensor, norm: Norm, shift: TokenShift | None, past: Tensor | None) -> Tensor:
        """Return what a sublayer reads of x (B, T, C): its norm, except where norms come after the sublayers."""
        if self.residual == "post_norm":
            return x if shift is None else shift(x, past)
        return _normed(kernels, x, norm, shift, past)

    def _add(self, kernels: Kernels, x: Tensor, y: Tensor, norm: Norm) -> Tensor:
        """Add a sublayer's result y to x, or to its norm; both (B, T, C). Source of post_norm: Vaswani et al. 2017."""
        dropout = self.dropout if self.training else 0.0
        if self.residual == "normed":
            x = _normed(kernels, x, norm)
        fast = kernels.add(x, y, dropout) if self.residual != "none" and dropout else None
        if fast is None:
            y = F.dropout(y, dropout) if dropout else y
            fast = y if self.residual == "none" else x + y
        return _normed(kernels, fast, norm) if self.residual == "post_norm" else fast


def _normed(
    kernels: Kernels, x: Tensor, norm: Norm, shift: TokenShift | None = None, past: Tensor | None = None
) -> Tensor:
    """Norm x (B, T, C), then shift it where there is a shift; `past` (B, window, C) are the rows before."""
    if past is None:
        mix_weights = None if shift is None else shift.mix_weights
        fast = kernels.norm(x, norm.kind, norm.weight, norm.bias, norm.epsilon, mix_weights)
        if fast is not None:
            return fast
    h: Tensor = norm(x)
    if shift is not None:
        h = shift(h, past)
    return h


def _matrix(linear: nn.Module) -> Matrix | None:
    return Matrix(linear.weight, linear.bias) if isinstance(linear, nn.Linear) else None
