"""The weights of a GPT as GPT-2 and as Llama keep them, with everything in place that such a file has a place for."""

from __future__ import annotations

from collections.abc import Mapping

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
        add(f"{block}.mlp.c_fc", settings.hidden_size)
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


def llama_tensors(settings: GPTSettings, state: Weights) -> Weights:
    """Return `state` under nanoGPT's names, queries, keys and values apart: `attn.q`, `attn.k` and `attn.v`.

    What is only there by default, and another scale of the attention, are treated as in `classic_tensors`. Biases are
    all there, or those of queries, keys and values and of what mixes the heads, or none, as transformers has them.
    """
    C, D = settings.n_embd, settings.head_size
    ends = np.cumsum((settings.n_head * D, settings.kv_heads * D))
    factor = np.float32((D / C) ** 0.5 if settings.attention_scale == "n_embd" else 1.0)
    in_attention, in_mlp = settings.bias or settings.qkv_bias, settings.bias
    tensors: Weights = {"transformer.wte.weight": state["transformer.wte.weight"]}

    def add_norm(name: str) -> None:
        tensors[f"{name}.weight"] = state.get(f"{name}.weight", np.ones(C, np.float32))

    def add(name: str, biased: bool) -> None:
        weight = tensors[f"{name}.weight"] = state[f"{name}.weight"]
        if biased:
            tensors[f"{name}.bias"] = state.get(f"{name}.bias", np.zeros(len(weight), np.float32))

    for layer in range(settings.n_layer):
        block = f"transformer.h.{layer}"
        add_norm(f"{block}.ln_1")
        add(f"{block}.attn.c_attn", in_attention)
        for kind in ("weight", "bias") if in_attention else ("weight",):
            parts = np.split(tensors.pop(f"{block}.attn.c_attn.{kind}"), ends)
            for part, numbers in zip("qkv", parts, strict=True):
                tensors[f"{block}.attn.{part}.{kind}"] = numbers * factor if part == "q" else numbers
        add(f"{block}.attn.c_proj", in_attention)
        add_norm(f"{block}.ln_2")
        for name in ("c_gate", "c_fc", "c_proj"):
            add(f"{block}.mlp.{name}", in_mlp)
    add_norm("transformer.ln_f")
    if not settings.tied_head:
        tensors["lm_head.weight"] = state["lm_head.weight"]
    return tensors


def renamed(tensors: Weights, top: Mapping[str, str], block: Mapping[str, str], blocks: str) -> Weights:
    """Return tensors under another program's names of our parts: `top`, and `block` behind `blocks` with its number."""
    found = {}
    for name, tensor in tensors.items():
        part, _, kind = name.rpartition(".")
        if part.startswith("transformer.h."):
            _, _, layer, inner = part.split(".", 3)
            found[f"{blocks.format(layer)}.{block[inner]}.{kind}"] = tensor
        else:
            found[f"{top[part]}.{kind}"] = tensor
    return found
