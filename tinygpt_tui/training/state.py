"""What a saved state holds of weights, optimizers and random numbers, and how it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.training.device import device_random, seed_device_random, set_device_random
from tinygpt_tui.training.truncated_bptt import TruncatedBPTT


def copied(tree: Any) -> Any:
    """Return `tree`, made of dicts, lists, tensors and plain values, with every tensor copied to the processor."""
    if isinstance(tree, Tensor):
        return tree.detach().to("cpu", copy=True)
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    return [copied(value) for value in tree] if isinstance(tree, list) else tree


def weights_state(
    model: LanguageModel, optimizers: Sequence[Optimizer], bptt: TruncatedBPTT | None, device: torch.device
) -> dict[str, Any]:
    """Return weights, optimizer states, a recurrent model's memory and all random states."""
    return {
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "carried": bptt.state() if bptt else None,
        "device": device.type,
        "random": torch.get_rng_state(),
        "device_random": device_random(device),
    }


def load_weights_state(
    state: dict[str, Any], model: LanguageModel, optimizers: Sequence[Optimizer], bptt: TruncatedBPTT | None
) -> None:
    """Undo `weights_state`, except for the random states."""
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(copied(saved))  # torch would continue with the very tensors it is given
        optimizer.zero_grad(set_to_none=True)
    if bptt:
        bptt.load_state(copied(state.get("carried")), model.device)


def load_random_state(state: dict[str, Any], device: torch.device, seed: int, step: int) -> None:
    """Return to the random states of `state`; those of another kind of device are drawn from `seed` and `step`."""
    torch.set_rng_state(state["random"])
    if came_from(state, device):
        seed_device_random(device, seed, step)
    else:
        set_device_random(device, state.get("device_random"))


def came_from(state: dict[str, Any], device: torch.device) -> str:
    """Return the kind of device that `state` was taken on; empty if it is the kind of `device`."""
    kind: str = state.get("device") or ("cpu" if state.get("device_random") is None else "cuda")
    return "" if kind == device.type else kind
