"""Which weights are moved by what: Muon for the blocks' matrices, AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from tinygpt_tui.architectures.base import Role
from tinygpt_tui.architectures.optimizers import PlainAdamW
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.muon import Muon

# An adapter's matrices start at nothing, and stay small. Between what was measured with rank 2 on a text of 60 KB:
# 4 and 16 times for Muon, rates of 0.01 and 0.03 for AdamW.
ADAPTER_RATE = {"muon": 8.0, "adamw": 30.0}
PEAK = "peak"  # each group keeps its peak rate; the schedule says what share of it is used


class Trained(Protocol):
    """What is trained: a whole model, or an adapter of one."""

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the weights by name."""

    def roles(self) -> dict[str, Role]:
        """Return their roles by name."""

    def parameters(self) -> Iterator[Parameter]:
        """Yield the weights."""


def make_optimizers(model: Trained, settings: TrainingSettings) -> list[Optimizer]:
    """Sort the model's weights into groups and return the optimizers that move them.

    Matrices inside blocks decay; embeddings and shifts have a rate of their own and no decay; the head, norms and
    biases have a third.
    """
    roles = model.roles()
    matrices, embeddings, rest = (
        [weight for name, weight in model.named_parameters() if roles[name] in group]
        for group in ((Role.MATRIX,), (Role.EMBEDDING,), (Role.HEAD, Role.OTHER))
    )
    rate = settings.learning_rate
    slow, fast = settings.head_rate or rate, settings.embedding_rate or rate
    if settings.lora:
        rate *= ADAPTER_RATE[settings.optimizer]
    groups = [
        {"params": embeddings, "lr": fast, "weight_decay": 0.0},
        {"params": rest, "lr": slow, "weight_decay": 0.0},
    ]
    optimizers: list[Optimizer] = []
    if settings.optimizer == "adamw":
        groups.insert(0, {"params": matrices, "lr": rate, "weight_decay": settings.weight_decay})
    elif matrices:
        optimizers.append(Muon(matrices, lr=rate, weight_decay=settings.weight_decay))
    groups = [group for group in groups if group["params"]]
    if groups:
        optimizers.append(PlainAdamW(groups, betas=(settings.beta1, settings.beta2), fused=True))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group[PEAK] = group["lr"]
    return optimizers


def set_rate(optimizers: list[Optimizer], share: float) -> float:
    """Give every group its share of its peak rate; return the matrices' rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group[PEAK] * share
    rate: float = optimizers[0].param_groups[0]["lr"]
    return rate


def clip(model: Trained, largest: float) -> Tensor:
    """Scale the gradients down to norm `largest` (0: leave them); return the norm they had, a scalar."""
    # torch chooses how: not every device has kernels for many tensors at once.
    return torch.nn.utils.clip_grad_norm_(model.parameters(), largest or float("inf"))
