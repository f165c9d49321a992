"""Hugging Face's GPT-2: matrices the other way round (Conv1D), always biases, a tied head that is often left out."""

from __future__ import annotations

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, head_counts, number_in
from tinygpt_tui.foreign.layouts.hugging_face_config import ACTIVATIONS
from tinygpt_tui.foreign.layouts.hugging_face_rows import without_scale
from tinygpt_tui.foreign.rename import Table, To, count, place
from tinygpt_tui.foreign.sidecars import read_json
from tinygpt_tui.foreign.source import Source

_MATRICES = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")


def _table() -> dict[str, To | None]:
    table: dict[str, To | None] = {"lm_head.weight": To("lm_head.weight")}
    for prefix in ("transformer.", ""):
        table |= {f"{prefix}{name}.weight": To(f"transformer.{name}.weight") for name in ("wte", "wpe")}
        for kind in ("weight", "bias"):
            table[f"{prefix}ln_f.{kind}"] = To(f"transformer.ln_f.{kind}")
            for part in ("ln_1", "ln_2"):
                table[f"{prefix}h.{{i}}.{part}.{kind}"] = To(f"transformer.h.{{i}}.{part}.{kind}")
            for part in _MATRICES:
                ours = To(f"transformer.h.{{i}}.{part}.{kind}", turned=kind == "weight")
                table[f"{prefix}h.{{i}}.{part}.{kind}"] = ours
        table |= {f"{prefix}h.{{i}}.attn.bias": None, f"{prefix}h.{{i}}.attn.masked_bias": None}
    return table


TABLE: Table = _table()


class HuggingFace:
    """A folder that `GPT2LMHeadModel.save_pretrained` wrote, or its weights alone."""

    name, title = "hf-gpt2", "Hugging Face's GPT-2"

    def recognises(self, source: Source) -> bool:
        for prefix in ("transformer.", ""):
            if source.has(f"{prefix}wte.weight", f"{prefix}wpe.weight", f"{prefix}h.0.attn.c_attn.weight"):
                shape = source.shape(f"{prefix}h.0.attn.c_attn.weight")
                return len(shape) == 2 and shape[1] == 3 * shape[0]
        return False

    def match(self, source: Source) -> LayoutMatch:
        placed = place(source.tensors, TABLE, "a GPT-2 of Hugging Face")
        prefix = "transformer." if "transformer.wte.weight" in source.tensors else ""
        config = source.sidecar("config.json")
        told = read_json(config) if config else {}
        found = Findings()
        C = found.embedding(source, f"{prefix}wte.weight", "wte")
        found.known("block_size", source.shape(f"{prefix}wpe.weight")[0], "tensor", "wpe")
        found.known("n_layer", count(source.tensors, f"{prefix}h.{{i}}.attn.c_attn.weight", "i"), "tensor", "counted")
        n_head = number_in(told, "n_head", "num_attention_heads")
        if n_head:
            found.known("n_head", n_head, "sidecar", "config.json")
        else:
            found.unknown("n_head", head_counts(C), "shapes do not tell it; there is no config.json")
        hidden = source.shape(f"{prefix}h.0.mlp.c_fc.weight")[1]
        if hidden != 4 * C:
            found.known("hidden", hidden, "tensor", "mlp.c_fc")
        found.known("bias", True, "convention", "GPT-2 has all biases")
        found.known("qkv_bias", True, "convention", "GPT-2 has all biases")
        activation = told.get("activation_function")
        if isinstance(activation, str) and activation in ACTIVATIONS:
            found.known("activation", ACTIVATIONS[activation], "sidecar", "config.json")
        elif activation is None:
            found.known("activation", "gelu_tanh", "convention", "GPT-2's")
        else:
            raise CheckpointError(f"{source.name} has the activation {activation!r}, which is not built here", "")
        epsilon = told.get("layer_norm_epsilon")
        if isinstance(epsilon, float) and epsilon != 1e-5:
            found.known("epsilon", epsilon, "sidecar", "config.json")
        for name in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
            if told.get(name) is True:
                raise CheckpointError(f"{source.name} has {name}, which is not built here", "")
        untied = "lm_head.weight" in placed and told.get("tie_word_embeddings") is False
        if not untied:
            placed.pop("lm_head.weight", None)
        found.known(
            "tied_head", not untied, "sidecar" if config else "convention", "config.json" if config else "GPT-2's"
        )
        finish = without_scale if told.get("scale_attn_weights") is False else None
        if not config:  # with it the file is Hugging Face's own, and no other order was ever written there
            found.unknown_order("qkv", "GPT-2's")
        return found.match(found.settings(source.name), placed, finish=finish)
