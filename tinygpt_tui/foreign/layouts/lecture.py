"""The lecture's layout, in all its spellings and early stages: every head has linear layers of its own.

TinyGPT and the two-size tutorial write it too; the whole module may be pickled instead of its state dict. What shapes
cannot tell: the attention's scale (the video and TinyGPT: n_embd; the lecture's repository: head_size), ReLU or GELU,
and in the stages without norms whether there is a residual.
"""

from __future__ import annotations

import itertools
import re

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch
from tinygpt_tui.foreign.layouts.heads import find_heads
from tinygpt_tui.foreign.layouts.module import activation_of, dropout_of, epsilon_of
from tinygpt_tui.foreign.rename import Table, To, count, place
from tinygpt_tui.foreign.source import Source

TOKENS = ("token_embedding_table.weight", "token_embedding.weight")
POSITIONS = ("position_embedding_table.weight", "position_embedding.weight")
# The lecture's own spelling first, then those of courses and of TinyGPT's kin.
ATTENTION = ("sa", "mha", "sa_head", "sa_heads", "attn", "attention", "self_attn", "self_attention")
FEED_FORWARD = ("ffwd", "ff", "ffn", "feed_forward", "mlp")
BLOCKS = ("blocks", "layers")
PROJECTION = ("proj", "projection", "out_proj")
NORMS = (("ln1", "ln2"), ("ln_1", "ln_2"), ("norm1", "norm2"))
LAST_NORM = ("ln_f", "ln_final", "norm_f", "final_norm")
HEAD = ("lm_head", "head")
# Inside the feed-forward Sequential: with the dropout last, or between the layers; or the Sequential itself.
INNER = (("net.0", "net.2"), ("net.0", "net.3"), ("0", "2"), ("0", "3"))
_PARTS = ("query", "key", "value")

# Where attention is: in a block, or alone in the stages that have no blocks.
_PLACES = {
    **{f"{blocks}.{{i}}.{name}": "{i}" for blocks in BLOCKS for name in ATTENTION},
    **dict.fromkeys(("sa_head", "sa_heads", "sa", "mha"), "0"),
}


_KEYS = re.compile(rf"((?:{'|'.join(BLOCKS)})\.\d+\.)?(?:{'|'.join(ATTENTION)})\.(heads\.\d+\.)?key\.weight")


def _table() -> dict[str, To | None]:
    table: dict[str, To | None] = {name: To("transformer.wte.weight") for name in TOKENS}
    table |= {name: To("transformer.wpe.weight") for name in POSITIONS}
    for at, layer in _PLACES.items():
        ours = f"transformer.h.{layer}.attn"
        for order, part in enumerate(_PARTS):
            for kind in ("weight", "bias"):
                table[f"{at}.heads.{{h}}.{part}.{kind}"] = To(f"{ours}.c_attn.{kind}", f"{order}.{{h}}")
                table[f"{at}.{part}.{kind}"] = To(f"{ours}.c_attn.{kind}", f"{order}.0")
        for name, kind in itertools.product(PROJECTION, ("weight", "bias")):
            table[f"{at}.{name}.{kind}"] = To(f"{ours}.c_proj.{kind}")
        table |= {f"{at}.heads.{{h}}.tril": None, f"{at}.tril": None, f"{at}.heads.{{h}}.mask": None}
    places = {f"{blocks}.{{i}}.{name}": "{i}" for blocks in BLOCKS for name in FEED_FORWARD}
    for at, layer in {**places, **dict.fromkeys(FEED_FORWARD, "0")}.items():
        for (wide, narrow), kind in itertools.product(INNER, ("weight", "bias")):
            table[f"{at}.{wide}.{kind}"] = To(f"transformer.h.{layer}.mlp.c_fc.{kind}")
            table[f"{at}.{narrow}.{kind}"] = To(f"transformer.h.{layer}.mlp.c_proj.{kind}")
    for kind in ("weight", "bias"):
        for blocks in BLOCKS:
            for first, second in NORMS:
                table[f"{blocks}.{{i}}.{first}.{kind}"] = To(f"transformer.h.{{i}}.ln_1.{kind}")
                table[f"{blocks}.{{i}}.{second}.{kind}"] = To(f"transformer.h.{{i}}.ln_2.{kind}")
            table[f"{blocks}.{{i}}.{kind}"] = To(f"transformer.ln_f.{kind}")  # the Sequential's last LayerNorm
        table |= {f"{name}.{kind}": To(f"transformer.ln_f.{kind}") for name in LAST_NORM}
        table |= {f"{name}.{kind}": To(f"lm_head.{kind}") for name in HEAD}
    table |= {"timesteps": None, "tril": None}
    return table


TABLE: Table = _table()


class Lecture:
    """One Linear per head."""

    name, title = "lecture", "the lecture's (one Linear per head)"

    def recognises(self, source: Source) -> bool:
        return any(source.has(name) for name in TOKENS) and any(_key_layers(source))

    def match(self, source: Source) -> LayoutMatch:
        placed = place(source.tensors, TABLE, "the lecture's model")
        found = Findings()
        shapes = {target: [(part, source.shape(name)) for part, name, _ in parts] for target, parts in placed.items()}

        def one(target: str) -> tuple[int, ...]:
            if target not in shapes:
                raise CheckpointError(f"{source.name} has no {target}", "a part of the model is missing")
            return shapes[target][0][1]

        vocab_size, n_embd = _pair(one("transformer.wte.weight"), source)
        found.known("vocab_size", vocab_size, "tensor", "token embedding")
        found.known("n_embd", n_embd, "tensor", "token embedding")
        block_size, _ = _pair(one("transformer.wpe.weight"), source)
        found.known("block_size", block_size, "tensor", "position embedding")
        n_layer = count(shapes, "transformer.h.{i}.attn.c_attn.weight", "i")
        found.known("n_layer", n_layer, "tensor", "counted")
        heads = {part[1] for part, _ in shapes["transformer.h.0.attn.c_attn.weight"]}
        width, _ = _pair(one("transformer.h.0.attn.c_attn.weight"), source)
        together = _holds_all_heads(source) and width == n_embd
        if together:
            find_heads(found, source, why="one layer for all heads: shapes do not tell it")
        else:
            found.known("n_head", len(heads), "tensor", "counted")
        if width * len(heads) != n_embd:
            found.known("head_width", width, "tensor", "key")
        found.known("qkv_bias", "transformer.h.0.attn.c_attn.bias" in shapes, "tensor")
        _tell_stage(found, shapes, n_embd)
        _tell_module(found, source)
        has_head = "lm_head.weight" in shapes
        found.known("tied_head", not has_head, "tensor", "" if has_head else "there is no head of its own")
        found.known("head_bias", "lm_head.bias" in shapes, "tensor")
        if width != n_embd or (together and found.values["n_head"] > 1):
            found.unknown("attention_scale", ("head_size", "n_embd"), "shapes do not tell it")
        return found.match(found.settings(source.name), placed)


def _tell_stage(found: Findings, shapes: dict[str, list[tuple[tuple[int, ...], tuple[int, ...]]]], n_embd: int) -> None:
    """Tell which of the lecture's stages it is: what has been added to attention by then."""
    norm = "transformer.h.0.ln_1.weight" in shapes
    projection = "transformer.h.0.attn.c_proj.weight" in shapes
    found.known("norm", "layernorm" if norm else "none", "tensor")
    found.known("final_norm", "transformer.ln_f.weight" in shapes, "tensor")
    if not norm and "transformer.ln_f.weight" in shapes:
        raise CheckpointError("a norm before the head and none in the blocks", "this stage of the lecture is not known")
    found.known("projection", projection, "tensor")
    found.known(
        "bias",
        any(name.endswith(".bias") and "c_attn" not in name and "lm_head" not in name for name in shapes),
        "tensor",
    )
    if "transformer.h.0.mlp.c_fc.weight" not in shapes:
        found.known("feed_forward", "none", "tensor")
    elif "transformer.h.0.mlp.c_proj.weight" not in shapes:
        found.known("feed_forward", "one_layer", "tensor", "net.0 alone")
    else:
        found.known("feed_forward", "mlp", "tensor")
        hidden = shapes["transformer.h.0.mlp.c_fc.weight"][0][1][0]
        if hidden != 4 * n_embd:
            found.known("hidden", hidden, "tensor", "net.0")
    if norm:
        order = ("stream", "post_norm")
        found.unknown(
            "residual", order, "the lecture norms before its sublayers, a course after them", by_convention=True
        )
    else:
        order = ("stream", "none") if projection else ("none", "stream")
        found.unknown("residual", order, "the lecture added residuals with the projection")


def _tell_module(found: Findings, source: Source) -> None:
    """Tell what only a pickled module knows, or ask."""
    activation = activation_of(source.module)
    if found.values["feed_forward"] == "none":
        pass
    elif activation:
        found.known("activation", activation, "module", "the class inside the MLP")
    else:
        found.unknown("activation", ("relu", "gelu"), "shapes do not tell it")
    epsilon = epsilon_of(source.module)
    if epsilon is not None and found.values["norm"] != "none":
        found.known("epsilon", epsilon, "module", "LayerNorm")
    dropout = dropout_of(source.module)
    if dropout is not None:
        found.known("dropout", dropout, "module", "Dropout")
        found.known("attention_dropout", dropout, "module", "Dropout")


def _key_layers(source: Source) -> list[str]:
    """Return the names of the layers that make keys, in any of the places where attention is."""
    return [name for name in source.tensors if name.endswith(".key.weight") and _KEYS.fullmatch(name)]


def _holds_all_heads(source: Source) -> bool:
    """Whether one layer makes the keys of all heads, whose number is then in no shape; the lecture has one a head."""
    return not any("heads." in name or "sa_head." in name for name in _key_layers(source))


def _pair(shape: tuple[int, ...], source: Source) -> tuple[int, int]:
    if len(shape) != 2 or 0 in shape:
        raise CheckpointError(f"{source.name}: a matrix has the shape {shape}", "the file is damaged")
    return shape[0], shape[1]
