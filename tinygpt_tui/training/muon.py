"""Muon: momentum whose every matrix is turned into the nearest orthogonal one.

Sources: Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/); the polynomials are Polar Express, Amsel et
al. 2025. torch.optim.Muon iterates in bfloat16, which most CPUs emulate; here all is float32, matrices of one shape go
through as one batch, and the polynomials are evaluated on the small Gram matrix, so that a wide matrix is touched twice
and not fifteen times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from tinygpt_tui.architectures.optimizers import PlainOptimizer

# Five steps, each the best polynomial of degree 5 for where the singular values are by then.
POLYNOMIALS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Return about U Vᵀ for each `matrices` (N, R, C) = U S Vᵀ; R <= C is cheapest, any shape is right."""
    if matrices.shape[-2] > matrices.shape[-1]:
        tall: Tensor = orthogonalise(matrices.mT).mT
        return tall
    x = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) * 1.02 + 1e-7)
    gram = x @ x.mT  # (N, R, R)
    turned: Tensor | None = None
    identity = torch.eye(gram.shape[-1], dtype=x.dtype, device=x.device)
    for left, (a, b, c) in zip(reversed(range(len(POLYNOMIALS))), POLYNOMIALS, strict=True):
        # x becomes (a + b G + c G²) x; all these matrices commute, so only their product and the new Gram are kept
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c).add_(identity, alpha=a)
        turned = factor if turned is None else factor @ turned
        if left:
            gram = factor @ gram @ factor
    assert turned is not None
    nearest: Tensor = turned @ x
    return nearest


class Muon(PlainOptimizer):
    """Steps along the orthogonalised momentum; for the matrices inside the blocks.

    A fused query-key-value matrix (3C, C) is three matrices of C by C. Momentum (Nesterov) rises from 0.85 to 0.95 over
    the first 100 steps. A tall matrix's step is longer by the root of rows over columns.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every matrix that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                    state["steps"] = 0
                state["steps"] += 1
                for weight, direction in _squares(parameter, self._look_ahead(parameter, state)):
                    tall = weight.shape[0] > weight.shape[1]
                    shape = tuple(sorted(weight.shape))
                    by_shape.setdefault(shape, []).append((weight, direction.mT if tall else direction))  # type: ignore[arg-type]
            for members in by_shape.values():
                turned = orthogonalise(torch.stack([direction for _, direction in members]))
                for (weight, _), update in zip(members, turned, strict=True):
                    rows, columns = weight.shape
                    length = max(1.0, rows / columns) ** 0.5
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update.mT if rows > columns else update, alpha=-group["lr"] * length)

    @staticmethod
    def _look_ahead(parameter: Tensor, state: dict[str, Any]) -> Tensor:
        """Bring the momentum up to date; return it one step ahead (Nesterov)."""
        assert parameter.grad is not None
        beta = 0.85 + 0.10 * min(state["steps"] / 100, 1.0)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(parameter.grad, 1 - beta)
        return parameter.grad.lerp(momentum, beta)


def _squares(weight: Tensor, direction: Tensor) -> list[tuple[Tensor, Tensor]]:
    rows, columns = weight.shape
    if rows == 3 * columns:
        return list(zip(torch.split(weight, columns), torch.split(direction, columns), strict=True))
    return [(weight, direction)]
