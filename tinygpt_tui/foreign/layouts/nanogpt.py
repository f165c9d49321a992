"""nanoGPT's `ckpt.pt`, and minGPT's `model.pt`, which has the same names: one matrix for query, key and value.

The number of heads is not in the shapes. GELU is exact in nanoGPT since 2023-05-17 and tanh before it; minGPT's is
always tanh. A mask called `attn.bias` was kept where torch had no fused attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, are_same
from tinygpt_tui.foreign.layouts.heads import find_heads
from tinygpt_tui.foreign.rename import Table, To, count, place
from tinygpt_tui.foreign.source import Source

_MATRICES = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
_VECTORS = ("ln_1", "ln_2")
EMBEDDING, HEAD, FUSED = "transformer.wte.weight", "lm_head.weight", "transformer.h.{i}.attn.c_attn.weight"

TABLE: Table = {
    "transformer.wte.weight": To("transformer.wte.weight"),
    "transformer.wpe.weight": To("transformer.wpe.weight"),
    **{
        f"transformer.h.{{i}}.{part}.{kind}": To(f"transformer.h.{{i}}.{part}.{kind}")
        for part in (*_MATRICES, *_VECTORS)
        for kind in ("weight", "bias")
    },
    "transformer.h.{i}.attn.bias": None,  # a mask
    "transformer.h.{i}.attn.masked_bias": None,
    "transformer.ln_f.weight": To("transformer.ln_f.weight"),
    "transformer.ln_f.bias": To("transformer.ln_f.bias"),
    "lm_head.weight": To("lm_head.weight"),
}


class NanoGPT:
    """nanoGPT's checkpoint, or the bare state dict of its model."""

    name, title = "nanogpt", "nanoGPT's"

    def recognises(self, source: Source) -> bool:
        return is_fused(source) and not _is_mingpt(source)

    def match(self, source: Source) -> LayoutMatch:
        found = Findings()
        told = source.extras.get("model_args")
        arguments: Mapping[Any, Any] = told if isinstance(told, dict) else {}
        shapes = _tell_shapes(found, source)
        find_heads(found, source, why="shapes do not tell it; 64 numbers a head are usual")
        old = "transformer.h.0.attn.bias" in source.tensors  # a mask: no fused attention yet
        found.unknown(
            "activation",
            ("gelu_tanh", "gelu") if old else ("gelu", "gelu_tanh"),
            "a file from before 2023-05-17 by its masks" if old else "nanoGPT's since 2023-05-17",
        )
        if not arguments:
            found.unknown("residual", ("stream", "post_norm"), "nanoGPT's", by_convention=True)
        dropout = arguments.get("dropout")
        if isinstance(dropout, float) and 0 <= dropout < 1:
            found.known("dropout", dropout, "file", "model_args")
            found.known("attention_dropout", dropout, "file", "model_args")
        found.known("tied_head", _tied(source), "tensor", "the head is the embedding" if _tied(source) else "")
        found.unknown_order("qkv", "nanoGPT's")
        return found.match(found.settings(source.name), shapes)


class MinGPT:
    """minGPT's model, a bare state dict."""

    name, title = "mingpt", "minGPT's"

    def recognises(self, source: Source) -> bool:
        return is_fused(source) and _is_mingpt(source)

    def match(self, source: Source) -> LayoutMatch:
        found = Findings()
        shapes = _tell_shapes(found, source)
        find_heads(found, source)
        found.unknown("activation", ("gelu_tanh", "gelu"), "minGPT's", by_convention=True)
        found.unknown("residual", ("stream", "post_norm"), "minGPT's", by_convention=True)
        found.known("tied_head", False, "tensor", "the head is not the embedding")
        found.unknown_order("qkv", "minGPT's")
        return found.match(found.settings(source.name), shapes)


def is_fused(source: Source) -> bool:
    """Whether it has nanoGPT's names, and matrices as torch's Linear keeps them (out, in)."""
    name = FUSED.format(i=0)
    if not source.has(EMBEDDING, "transformer.wpe.weight", name):
        return False
    shape = source.shape(name)
    return len(shape) == 2 and shape[0] == 3 * shape[1]


def _is_mingpt(source: Source) -> bool:
    """A bare state dict with masks, biases and a head of its own."""
    return (
        "model_args" not in source.extras
        and source.has("transformer.h.0.attn.bias", "transformer.h.0.ln_1.bias", HEAD)
        and not _tied(source)
    )


def _tell_shapes(found: Findings, source: Source) -> dict[str, Any]:
    placed = place(source.tensors, TABLE, "nanoGPT's model")
    C = found.embedding(source, EMBEDDING)
    found.known("block_size", source.shape("transformer.wpe.weight")[0], "tensor", "transformer.wpe.weight")
    found.known("n_layer", count(source.tensors, FUSED, "i"), "tensor", "counted")
    hidden = source.shape("transformer.h.0.mlp.c_fc.weight")[0]
    if hidden != 4 * C:
        found.known("hidden", hidden, "tensor", "mlp.c_fc")
    biases = source.has("transformer.h.0.ln_1.bias") or source.has("transformer.h.0.attn.c_proj.bias")
    found.known("bias", biases, "tensor", "there are biases" if biases else "there are none")
    found.known("qkv_bias", source.has("transformer.h.0.attn.c_attn.bias"), "tensor")
    if _tied(source):
        placed.pop(HEAD, None)
    return placed


def _tied(source: Source) -> bool:
    return HEAD not in source.tensors or are_same(source, HEAD, EMBEDDING)
