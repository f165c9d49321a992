"""llama2.c's `ckpt.pt`: RMSNorm, rotary positions of neighbouring pairs, SwiGLU, heads of keys and values in groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, head_counts, number_in
from tinygpt_tui.foreign.rename import Table, To, count, place
from tinygpt_tui.foreign.source import Source

_BLOCK = {
    "attention.wq": ("attn.c_attn", "0"),
    "attention.wk": ("attn.c_attn", "1"),
    "attention.wv": ("attn.c_attn", "2"),
    "attention.wo": ("attn.c_proj", ""),
    "feed_forward.w1": ("mlp.c_gate", ""),
    "feed_forward.w3": ("mlp.c_fc", ""),
    "feed_forward.w2": ("mlp.c_proj", ""),
    "attention_norm": ("ln_1", ""),
    "ffn_norm": ("ln_2", ""),
}
TABLE: Table = {
    "tok_embeddings.weight": To("transformer.wte.weight"),
    "norm.weight": To("transformer.ln_f.weight"),
    "output.weight": To("lm_head.weight"),
    **{f"layers.{{i}}.{theirs}.weight": To(f"transformer.h.{{i}}.{ours}.weight", part)
       for theirs, (ours, part) in _BLOCK.items()},
    "freqs_cos": None, "freqs_sin": None, "freqs_cis": None, "rope.freqs": None, "layers.{i}.attention.mask": None,
}  # fmt: skip
EMBEDDING, HEAD = "tok_embeddings.weight", "output.weight"


class Llama2C:
    """A Llama as llama2.c trains it."""

    name, title = "llama2c", "llama2.c's"

    def recognises(self, source: Source) -> bool:
        return source.has(EMBEDDING, "norm.weight", "layers.0.attention.wq.weight", "layers.0.feed_forward.w3.weight")

    def match(self, source: Source) -> LayoutMatch:
        placed = place(source.tensors, TABLE, "llama2.c's model")
        told = source.extras.get("model_args")
        arguments: Mapping[Any, Any] = told if isinstance(told, dict) else {}
        found = Findings()
        C = found.embedding(source, EMBEDDING)
        found.known("n_layer", count(source.tensors, "layers.{i}.attention.wq.weight", "i"), "tensor", "counted")
        found.known("hidden", source.shape("layers.0.feed_forward.w1.weight")[0], "tensor", "feed_forward.w1")
        _tell_heads(found, source, arguments, C)
        window = number_in(arguments, "max_seq_len")
        if window:
            found.known("block_size", window, "file", "model_args")
        elif "freqs_cos" in source.tensors:
            found.known("block_size", source.shape("freqs_cos")[0], "tensor", "freqs_cos")
        else:
            found.assumed("block_size", 256, "llama2.c's; it is not in the tensors")
        epsilon = arguments.get("norm_eps")
        if isinstance(epsilon, float):
            found.known("epsilon", epsilon, "file", "model_args")
        for name, value in (("positions", "rotary"), ("norm", "rmsnorm"), ("activation", "swiglu")):
            found.known(name, value, "convention", "Llama's")
        tied = HEAD not in source.tensors or _same_place(source)
        found.known("tied_head", tied, "tensor", "the head is the embedding" if tied else "")
        if tied:
            placed.pop("lm_head.weight", None)
        settings = found.settings(source.name)
        return found.match(settings, placed, vocabulary_files="tokenizer.model or tokenizer.bin")


def _tell_heads(found: Findings, source: Source, arguments: Mapping[Any, Any], n_embd: int) -> None:
    kv_width = source.shape("layers.0.attention.wk.weight")[0]
    n_head = number_in(arguments, "n_heads", "n_head")
    if n_head:
        found.known("n_head", n_head, "file", "model_args")
    elif kv_width == n_embd:
        even = tuple(heads for heads in head_counts(n_embd) if n_embd // heads % 2 == 0)
        found.unknown("n_head", even or (1,), "shapes do not tell it")
    else:
        raise CheckpointError(f"{source.name} shares keys and values, and has no model_args that say how", "--n-head N")
    if kv_width != n_embd:
        head_size = n_embd // found.values["n_head"]
        if not head_size or kv_width % head_size:
            raise CheckpointError(f"{source.name}: keys {kv_width} wide for heads of {head_size}", "it is damaged")
        found.known("n_kv_head", kv_width // head_size, "tensor", "attention.wk")


def _same_place(source: Source) -> bool:
    head, embedding = source.tensors[HEAD], source.tensors[EMBEDDING]
    return (head.file, head.origin, head.start) == (embedding.file, embedding.origin, embedding.start)
