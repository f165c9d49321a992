"""LayerNorm and RMSNorm, with learned weights or without."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.settings.architecture import GPTSettings

EPSILON = 1e-5


def normalise(
    x: Tensor, kind: str, weight: Tensor | None = None, bias: Tensor | None = None, epsilon: float = EPSILON
) -> Tensor:
    """Bring the last axis of `x` to unit scale (and mean zero with `kind` "layernorm"); same shape.

    With `kind` "none" it stays as it is.
    Sources: Ba et al. 2016, eq. 4 (layernorm); Zhang and Sennrich 2019, eq. 4 (rmsnorm).
    """
    if kind == "none":
        return x
    if kind == "rmsnorm":
        return F.rms_norm(x, x.shape[-1:], weight, epsilon)
    return F.layer_norm(x, x.shape[-1:], weight, bias, epsilon)


class Norm(nn.Module):
    """The norm that the settings ask for; without weights it has no parameters at all."""

    def __init__(self, settings: GPTSettings, *, present: bool = True) -> None:
        """`present` no: a norm that does nothing."""
        super().__init__()
        self.kind = settings.norm if present else "none"
        self.epsilon = settings.epsilon
        learned = settings.norm_weight and self.kind != "none"
        biased = learned and settings.bias and self.kind == "layernorm"
        self.weight = nn.Parameter(torch.ones(settings.n_embd)) if learned else None
        self.bias = nn.Parameter(torch.zeros(settings.n_embd)) if biased else None

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) -> (..., C)."""
        return normalise(x, self.kind, self.weight, self.bias, self.epsilon)
