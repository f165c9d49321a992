"""A copy of a training's state that later steps cannot reach, in the processor's memory."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def copied(tree: Any) -> Any:
    """Return `tree`, made of dicts, lists, tensors and plain values, with every tensor copied to the processor."""
    if isinstance(tree, Tensor):
        return tree.detach().to("cpu", copy=True)
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    return [copied(value) for value in tree] if isinstance(tree, list) else tree
