"""The non-linearities inside an MLP."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


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
