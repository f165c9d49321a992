"""minGPT as it was from 2020 to 2022: keys, queries and values in layers of their own, and positions as a parameter.

Its positions are (1, T, C), its MLP is a Sequential, its head is untied and has no bias; GELU is exact. The number of
heads is in no shape. Programs that grew from it (of pictures, of games) have its names, and other embeddings.
"""

from __future__ import annotations

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights
from tinygpt_tui.foreign.layouts.heads import find_heads
from tinygpt_tui.foreign.layouts.module import activation_of, epsilon_of
from tinygpt_tui.foreign.rename import Table, To, count, place
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import ArchitectureSettings

TOKENS, POSITIONS, HEAD = "tok_emb.weight", "pos_emb", "head.weight"
_WPE = "transformer.wpe.weight"
_PARTS = {
    "ln1": ("ln_1", ""), "ln2": ("ln_2", ""), "attn.query": ("attn.c_attn", "0"), "attn.key": ("attn.c_attn", "1"),
    "attn.value": ("attn.c_attn", "2"), "attn.proj": ("attn.c_proj", ""), "mlp.0": ("mlp.c_fc", ""),
    "mlp.2": ("mlp.c_proj", ""),
}  # fmt: skip
TABLE: Table = {
    TOKENS: To("transformer.wte.weight"),
    POSITIONS: To(_WPE),
    HEAD: To("lm_head.weight"),
    **{f"blocks.{{i}}.{theirs}.{kind}": To(f"transformer.h.{{i}}.{ours}.{kind}", part)
       for theirs, (ours, part) in _PARTS.items() for kind in ("weight", "bias")},
    **{f"ln_f.{kind}": To(f"transformer.ln_f.{kind}") for kind in ("weight", "bias")},
    "blocks.{i}.attn.mask": None,
}  # fmt: skip


class MinGPT2020:
    """The first minGPT's model, a bare state dict."""

    name, title = "mingpt-2020", "minGPT's of 2020"

    def recognises(self, source: Source) -> bool:
        return source.has(TOKENS, POSITIONS, "blocks.0.attn.key.weight", "blocks.0.mlp.0.weight")

    def match(self, source: Source) -> LayoutMatch:
        placed = place(source.tensors, TABLE, "minGPT's model of 2020")
        found = Findings()
        C = found.embedding(source, TOKENS)
        positions = source.shape(POSITIONS)
        if len(positions) != 3 or positions[0] != 1 or positions[2] != C:
            raise CheckpointError(f"{source.name}: its positions have the shape {positions}", "the file is damaged")
        found.known("block_size", positions[1], "tensor", POSITIONS)
        found.known("n_layer", count(source.tensors, "blocks.{i}.attn.key.weight", "i"), "tensor", "counted")
        find_heads(found, source)
        hidden = source.shape("blocks.0.mlp.0.weight")[0]
        if hidden != 4 * C:
            found.known("hidden", hidden, "tensor", "mlp.0")
        found.known("bias", source.has("blocks.0.ln1.bias"), "tensor")
        found.known("qkv_bias", source.has("blocks.0.attn.key.bias"), "tensor")
        activation = activation_of(source.module)
        if activation:
            found.known("activation", activation, "module", "the class inside the MLP")
        else:
            found.unknown("activation", ("gelu", "gelu_tanh"), "minGPT's of 2020", by_convention=True)
        found.unknown("residual", ("stream", "post_norm"), "minGPT's", by_convention=True)
        epsilon = epsilon_of(source.module)
        if epsilon is not None:
            found.known("epsilon", epsilon, "module", "LayerNorm")
        tied = HEAD not in source.tensors
        found.known("tied_head", tied, "tensor", "there is no head of its own" if tied else "")

        def finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
            return weights | {_WPE: weights[_WPE].reshape(positions[1:])}

        return found.match(found.settings(source.name), placed, finish=finish)
