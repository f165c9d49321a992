"""Rows of queries, keys and values as Hugging Face arranges them, put into our order.

There a head's first half rotates with its second half, here each number with its neighbour: the same net, with the rows
of queries and keys in another order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings

FUSED = ".attn.c_attn."


def pairs_together(weights: Weights, settings: ArchitectureSettings) -> Weights:
    """Return the weights with the numbers that rotate together beside each other."""
    assert isinstance(settings, GPTSettings)
    order = _pairs(settings)
    heads = settings.n_head + settings.kv_heads  # of queries and keys; values do not rotate
    rows = (np.arange(heads)[:, None] * settings.head_size + order).ravel()
    turned: Weights = {}
    for name, numbers in weights.items():
        if FUSED in name:
            turned[name] = np.concatenate((numbers[rows], numbers[len(rows) :]))
        elif name.endswith(("q_norm.weight", "k_norm.weight")):
            turned[name] = numbers[order]
    return weights | turned


def heads_apart(weights: Weights, settings: ArchitectureSettings) -> Weights:
    """Return fused matrices that hold query, key and value head by head with all queries first, as ours."""
    assert isinstance(settings, GPTSettings)
    H, D = settings.n_head, settings.head_size
    apart = {
        name: numbers.reshape(H, 3, D, *numbers.shape[1:]).swapaxes(0, 1).reshape(numbers.shape)
        for name, numbers in weights.items()
        if FUSED in name
    }
    return weights | apart


def without_scale(weights: Weights, settings: ArchitectureSettings) -> Weights:
    """Undo in the queries the scale that our attention has and this model's has not."""
    assert isinstance(settings, GPTSettings)
    root = math.sqrt(settings.n_embd if settings.attention_scale == "n_embd" else settings.head_size)
    queries = settings.n_head * settings.head_size
    return weights | {
        name: np.concatenate((numbers[:queries] * np.float32(root), numbers[queries:]))
        for name, numbers in weights.items()
        if FUSED in name
    }


def one_norm(weights: Weights, settings: ArchitectureSettings) -> Weights:
    """Give the MLP the norm of the attention beside it, where both read one."""
    shared = {name.replace(".ln_1.", ".ln_2."): numbers for name, numbers in weights.items() if ".ln_1." in name}
    return weights | shared


def gate_apart(weights: Weights, settings: ArchitectureSettings) -> Weights:
    """Take gate and widening matrix apart where one tensor holds both, the gate first."""
    found = dict(weights)
    for name in [name for name in weights if ".mlp.c_gate_fc." in name]:
        numbers = found.pop(name)
        half = len(numbers) // 2
        found[name.replace("c_gate_fc", "c_gate")], found[name.replace("c_gate_fc", "c_fc")] = (
            numbers[:half],
            numbers[half:],
        )
    return found


def _pairs(settings: GPTSettings) -> NDArray[np.intp]:
    """Return for each number of our head which of theirs it is, (D,)."""
    width = settings.rotary_width or settings.head_size
    return np.concatenate((np.arange(width).reshape(2, -1).T.ravel(), np.arange(width, settings.head_size)))
