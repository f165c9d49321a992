"""The block of a transformer: attention, then an MLP, each added to the stream."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.attention import CausalSelfAttention
from tinygpt_tui.architectures.kernels import PLAIN, Kernels
from tinygpt_tui.architectures.memory import Ragged
from tinygpt_tui.architectures.norms import Norm
from tinygpt_tui.architectures.shift import TokenShift
from tinygpt_tui.settings.architecture import GPTSettings


class MLP(nn.Module):
    """Each token thinks for itself: four times wider, activated, and back.

    With a gate (SwiGLU) a third matrix says how much of each number passes. Source: Shazeer 2020, eq. 6.
    """

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        C, F4 = settings.n_embd, settings.hidden_size
        self.c_fc = nn.Linear(C, F4, bias=settings.bias)
        self.c_gate = nn.Linear(C, F4, bias=settings.bias) if settings.activation == "swiglu" else None
        self.c_proj = nn.Linear(F4, C, bias=settings.bias) if settings.feed_forward == "mlp" else nn.Identity()
        self.activation = settings.activation

    def forward(self, x: Tensor, kernels: Kernels = PLAIN) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        return kernels.feed_forward(self, x)


class Block(nn.Module):
    """Communication, then computation."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        self.ln_1 = Norm(settings)
        self.attn = CausalSelfAttention(settings)
        self.ln_2 = self.mlp = None
        if settings.feed_forward != "none":
            self.ln_2, self.mlp = Norm(settings), MLP(settings)
        self.residual, self.dropout = settings.residual, settings.dropout
        self.kernels = PLAIN  # a trainer may put faster ones here
        window, C = settings.token_shift, settings.n_embd
        self.shift_1 = TokenShift(window, C) if window else None
        self.shift_2 = TokenShift(window, C) if window and self.mlp is not None else None

    def forward(
        self,
        x: Tensor,
        rope: Tensor | None = None,
        past: tuple[Tensor, Tensor, int | Ragged] | None = None,
        rows: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """x (B, T, C) -> (B, T, C); `past` is the attention's store, `rows` the two shifts' last positions."""
        kernels = self.kernels if past is None and not torch.compiler.is_compiling() else PLAIN
        h = kernels.norm(x, self.ln_1, self.shift_1, rows[0] if rows else None)
        x = self._joined(x, self.ln_1, self.attn(h, rope, past, kernels), kernels)
        if self.ln_2 is None or self.mlp is None:
            return x
        h = kernels.norm(x, self.ln_2, self.shift_2, rows[1] if rows else None)
        return self._joined(x, self.ln_2, self.mlp(h, kernels), kernels)

    def _joined(self, stream: Tensor, norm: Norm, result: Tensor, kernels: Kernels) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if self.residual == "stream":
            return kernels.add(stream, result, dropout)
        if self.residual == "normed":
            return kernels.add(kernels.norm(stream, norm), result, dropout)
        return F.dropout(result, dropout) if dropout else result
