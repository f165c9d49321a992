"""Token shift: each channel adds a learned weight of the previous positions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _AddShifted(torch.autograd.Function):
    """`x + sum_j weights[j] * x moved j + 1 positions back`, with fewer passes over memory than autograd makes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(x, weights)
        y = x.clone()
        for j, weight in enumerate(weights, start=1):
            y[:, j:].addcmul_(x[:, :-j], weight)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weights = ctx.saved_tensors
        (gradient,) = gradients
        to_x = gradient.clone()
        to_weights = torch.zeros_like(weights)
        for j, weight in enumerate(weights, start=1):
            to_x[:, :-j].addcmul_(gradient[:, j:], weight)
            to_weights[j - 1] = (gradient[:, j:] * x[:, :-j]).sum((0, 1))
        return to_x, to_weights


class TokenShift(nn.Module):
    """A causal convolution of one weight per channel and step back, starting at "no mixing at all".

    Source: the token shift of RWKV (Peng et al. 2023), here added instead of mixed.
    """

    def __init__(self, window: int, channels: int) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.zeros(window, channels))  # the name in every saved model

    @property
    def mix_weights(self) -> nn.Parameter:
        """How much of each earlier position every channel adds, (window, C)."""
        return self.shares

    def forward(self, x: Tensor, past: Tensor | None = None) -> Tensor:
        """x (B, T, C) -> (B, T, C); `past` (B, window, C) holds the rows before `x` and is brought up to date."""
        window = self.mix_weights.shape[0]
        if past is not None:
            joined = torch.cat((past, x), dim=1)
            past.copy_(joined[:, -window:])
            return self._plain(joined)[:, window:]
        if torch.compiler.is_compiling() or x.shape[1] <= window:
            return self._plain(x)
        mixed: Tensor = _AddShifted.apply(x, self.mix_weights)  # type: ignore[no-untyped-call]
        return mixed

    def _plain(self, x: Tensor) -> Tensor:
        y = x
        for j, share in enumerate(self.mix_weights, start=1):
            y = y + share * torch.nn.functional.pad(x, (0, 0, j, 0))[:, : x.shape[1]]
        return y
