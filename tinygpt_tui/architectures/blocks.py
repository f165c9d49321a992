"""The block of a transformer: attention, then an MLP, each added to the stream."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.attention import CausalSelfAttention
from tinygpt_tui.architectures.norms import Norm
from tinygpt_tui.architectures.shift import TokenShift
from tinygpt_tui.settings.architecture import GPTSettings


class _ReluSquared(torch.autograd.Function):
    """`relu(x) ** 2`; keeps only relu(x) and saves two passes over memory against autograd's own."""

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


def activate(x: Tensor, kind: str) -> Tensor:
    """Apply the non-linearity `kind` to every number of `x`.

    Sources: Hendrycks and Gimpel 2016 (gelu, and its tanh form); So et al. 2021 (squared ReLU).
    """
    if kind == "relu_squared":
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return F.relu(x).square()
        squared: Tensor = _ReluSquared.apply(x)  # type: ignore[no-untyped-call]
        return squared
    if kind == "relu":
        return F.relu(x)
    return F.gelu(x, approximate="tanh" if kind == "gelu_tanh" else "none")


class MLP(nn.Module):
    """Each token thinks for itself: four times wider, bent, and back.

    With a gate (SwiGLU) a third matrix says how much of each number passes. Source: Shazeer 2020, eq. 6.
    """

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        C, F4 = settings.n_embd, settings.hidden_size
        self.c_fc = nn.Linear(C, F4, bias=settings.bias)
        self.c_gate = nn.Linear(C, F4, bias=settings.bias) if settings.activation == "swiglu" else None
        self.c_proj = nn.Linear(F4, C, bias=settings.bias) if settings.feed_forward == "mlp" else nn.Identity()
        self.activation = settings.activation
        self.dropout = settings.dropout

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        h = self.c_fc(x)
        y = self.c_proj(activate(h, self.activation) if self.c_gate is None else F.silu(self.c_gate(x)) * h)
        return F.dropout(y, self.dropout, self.training) if self.dropout else y


class Block(nn.Module):
    """Communication, then computation."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        self.ln_1 = Norm(settings)
        self.attn = CausalSelfAttention(settings)
        self.ln_2 = self.mlp = None
        if settings.feed_forward != "none":
            self.ln_2, self.mlp = Norm(settings), MLP(settings)
        self.residual = settings.residual
        reach, C = settings.token_shift, settings.n_embd
        self.shift_1 = TokenShift(reach, C) if reach else None
        self.shift_2 = TokenShift(reach, C) if reach and self.mlp is not None else None

    def forward(
        self,
        x: Tensor,
        turns: Tensor | None = None,
        past: tuple[Tensor, Tensor, int] | None = None,
        rows: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """x (B, T, C) -> (B, T, C); `past` is the attention's store, `rows` the two shifts' last positions."""
        h = normed = self.ln_1(x)
        if self.shift_1 is not None:
            h = self.shift_1(h, rows[0] if rows else None)
        x = self._joined(x, normed, self.attn(h, turns, past))
        if self.ln_2 is None or self.mlp is None:
            return x
        h = normed = self.ln_2(x)
        if self.shift_2 is not None:
            h = self.shift_2(h, rows[1] if rows else None)
        return self._joined(x, normed, self.mlp(h))

    def _joined(self, stream: Tensor, normed: Tensor, result: Tensor) -> Tensor:
        if self.residual == "stream":
            return stream + result
        return normed + result if self.residual == "normed" else result
