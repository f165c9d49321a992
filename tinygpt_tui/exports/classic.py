"""GPT-2's skeleton: the weights of a GPT with everything in place that such a file has a place for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import GPTSettings


def classic_tensors(settings: GPTSettings, state: Weights, *, biases: bool) -> Weights:
    """Return `state` under nanoGPT's names, without what is only there by default.

    Norms without weights get ones; with `biases`, biases that are not there are zero. GPT-2 divides the scores by the
    root of head_size: where the model divides by the root of n_embd, the queries' rows take the difference in. With a
    power of four of heads that is exact, else it rounds each weight once. The head is there only if it is not tied.
    """
    C = settings.n_embd
    tensors: Weights = {
        "transformer.wte.weight": state["transformer.wte.weight"],
        "transformer.wpe.weight": state["transformer.wpe.weight"],
    }
    factor = settings.n_head**-0.5 if settings.attention_scale == "n_embd" else 1.0

    def add(name: str, rows: int, weight: NDArray[np.float32] | None = None) -> None:
        tensors[f"{name}.weight"] = state[f"{name}.weight"] if weight is None else weight
        bias = state.get(f"{name}.bias")
        if bias is not None or biases:
            tensors[f"{name}.bias"] = np.zeros(rows, np.float32) if bias is None else bias

    def add_norm(name: str) -> None:
        add(name, C, state.get(f"{name}.weight", np.ones(C, np.float32)))

    for layer in range(settings.n_layer):
        block = f"transformer.h.{layer}"
        add_norm(f"{block}.ln_1")
        add(f"{block}.attn.c_attn", 3 * C)
        add(f"{block}.attn.c_proj", C)
        add_norm(f"{block}.ln_2")
        add(f"{block}.mlp.c_fc", 4 * C)
        add(f"{block}.mlp.c_proj", C)
        if factor != 1.0:
            for part in ("weight", "bias"):
                name = f"{block}.attn.c_attn.{part}"
                if name in tensors:
                    tensors[name] = np.concatenate((tensors[name][:C] * np.float32(factor), tensors[name][C:]))
    add_norm("transformer.ln_f")
    if not settings.tied_head:
        tensors["lm_head.weight"] = state["lm_head.weight"]
    return tensors
