"""What a block's operations compute, in plain torch; a trainer may put faster forms in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.architectures.activations import activate

if TYPE_CHECKING:
    from tinygpt_tui.architectures.attention import CausalSelfAttention
    from tinygpt_tui.architectures.blocks import MLP
    from tinygpt_tui.architectures.memory import Ragged
    from tinygpt_tui.architectures.norms import Norm
    from tinygpt_tui.architectures.shift import TokenShift


class Kernels:
    """The plain forms: what every other form is measured against, and what a compiler fuses by itself."""

    def norm(self, x: Tensor, norm: Norm, shift: TokenShift | None = None, past: Tensor | None = None) -> Tensor:
        """Norm x (B, T, C), then shift it where there is a shift; `past` as there."""
        h: Tensor = norm(x)
        if shift is not None:
            h = shift(h, past)
        return h

    def attention(
        self,
        attention: CausalSelfAttention,
        qkv: Tensor,
        rope: Tensor | None,
        past: tuple[Tensor, Tensor, int | Ragged] | None = None,
    ) -> Tensor:
        """Mix the values of qkv (B, T, 3C) into (B, T, C)."""
        return attention.mix(qkv, rope, past)

    def feed_forward(self, mlp: MLP, x: Tensor) -> Tensor:
        """Let each row of x (B, T, C) think for itself."""
        h = mlp.c_fc(x)
        h = self.activate(h, mlp.activation) if mlp.c_gate is None else F.silu(mlp.c_gate(x)) * h
        y: Tensor = mlp.c_proj(h)
        return y

    def activate(self, x: Tensor, kind: str) -> Tensor:
        """Apply the non-linearity `kind` to every number."""
        return activate(x, kind)

    def add(self, x: Tensor, y: Tensor, dropout: float) -> Tensor:
        """Return x plus what a `dropout` share of zeros leaves of y, which is scaled up for it."""
        return x + F.dropout(y, dropout) if dropout else x + y


PLAIN = Kernels()
