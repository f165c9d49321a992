"""Models of torch from arrays, and what they compute as arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.settings.architecture import ArchitectureSettings


def filled(settings: ArchitectureSettings, weights: dict[str, Tensor]) -> LanguageModel:
    """Build the net and give it `weights`, which fit: all of them, so that no first ones need be drawn."""
    with torch.random.fork_rng(devices=[]), WithoutNumbers():
        model = build(settings)
    model.load_state_dict(weights)
    return model


def tensors_of(weights: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Return arrays as tensors; those that may be written share their memory."""
    return {
        name: torch.from_numpy(numbers if numbers.flags.writeable else numbers.copy())
        for name, numbers in weights.items()
    }


def torch_forward(model: LanguageModel) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
    """Return what computes a net's logits (B, T, V) for ids (B, T)."""

    @torch.inference_mode()
    def forward(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = model(torch.from_numpy(ids).to(model.device)).float().cpu().numpy()
        return logits

    model.eval()
    return forward


@functools.lru_cache(maxsize=256)
def torch_shapes(settings: ArchitectureSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a net's state dict; no memory is taken for its numbers. Raises UsageError."""
    with torch.device("meta"), WithoutNumbers():
        net = build(settings)
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


class WithoutNumbers(TorchFunctionMode):
    """Draws no random numbers, which would be overwritten; on the meta device torch imports its compiler for them."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_"):
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return func(*args, **(kwargs or {}))
