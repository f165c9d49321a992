"""GGUF of llama.cpp's architectures `llama`, `qwen2` and `gpt2`: the metadata say all that the tensors do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.gguf_tokenizer import stored_tokenizer
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch
from tinygpt_tui.foreign.layouts.hugging_face_rows import pairs_together
from tinygpt_tui.foreign.rename import Table, To, count, place
from tinygpt_tui.foreign.source import GGUF, Source
from tinygpt_tui.foreign.tensors import read

ARCHITECTURE = "general.architecture"
# llama.cpp's name of each part of our nets, without `.weight` and `.bias`.
TOP = {
    "token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output_norm": "transformer.ln_f",
    "output": "lm_head",
}  # fmt: skip
GPT2_BLOCK = {
    "attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
}  # fmt: skip
LLAMA_BLOCK = {
    "attn_norm": "ln_1", "attn_output": "attn.c_proj", "ffn_norm": "ln_2", "ffn_gate": "mlp.c_gate",
    "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
}  # fmt: skip
QUERY_KEY_VALUE = ("attn_q", "attn_k", "attn_v")
ROTARY_FACTORS = "rope_freqs.weight"
READ = ("llama", "qwen2", "gpt2")
# What would be another function: the value that it must have, where it is said.
_MUST_BE: Mapping[str, Any] = {
    "expert_count": 0, "attention.scale": 0.0,
    "attention.sliding_window": 0, "attention.causal": True, "use_parallel_residual": False,
}  # fmt: skip


def _table(block: Mapping[str, str], fused: bool) -> Table:
    table: dict[str, To | None] = {ROTARY_FACTORS: None}
    for kind in ("weight", "bias"):
        table |= {f"{theirs}.{kind}": To(f"{ours}.{kind}") for theirs, ours in TOP.items()}
        table |= {
            f"blk.{{i}}.{theirs}.{kind}": To(f"transformer.h.{{i}}.{ours}.{kind}") for theirs, ours in block.items()
        }
        if not fused:
            table |= {
                f"blk.{{i}}.{theirs}.{kind}": To(f"transformer.h.{{i}}.attn.c_attn.{kind}", str(part))
                for part, theirs in enumerate(QUERY_KEY_VALUE)
            }
    return table


class GGUFLayout:
    """A model of llama.cpp."""

    name, title = "gguf", "GGUF of llama, qwen2 or gpt2"

    def recognises(self, source: Source) -> bool:
        return GGUF in source.extras

    def match(self, source: Source) -> LayoutMatch:
        told = source.extras[GGUF]
        kind = told.get(ARCHITECTURE)
        if kind not in READ:
            raise CheckpointError(
                f"{source.name} is a GGUF of the architecture {str(kind)[:40]!r}, which is not built here",
                f"read are {', '.join(READ)}",
            )
        header = _Header(source, told, kind)
        found = Findings()
        found.embedding(source, "token_embd.weight")
        found.known("n_layer", count(source.tensors, "blk.{i}.attn_norm.weight", "i"), "tensor", "counted")
        for name, key in (("block_size", "context_length"), ("n_head", "attention.head_count"),
                          ("hidden", "feed_forward_length")):  # fmt: skip
            found.known(name, header.whole(key), "file", f"{kind}.{key}")
        header.check_the_rest(found.values)
        placed = place(source.tensors, _table(GPT2_BLOCK if kind == "gpt2" else LLAMA_BLOCK, kind == "gpt2"), kind)
        (_find_gpt2 if kind == "gpt2" else _find_llama)(found, source, header)
        found.known("tied_head", "lm_head.weight" not in placed, "tensor", "output.weight")
        return found.match(
            found.settings(source.name),
            placed,
            finish=pairs_together if kind == "qwen2" else None,
            tokenizer=stored_tokenizer(told, source.name),
            vocabulary_files="tokenizer.json",
        )


def _find_gpt2(found: Findings, source: Source, header: _Header) -> None:
    found.known("activation", "gelu_tanh", "convention", "GPT-2's")
    found.known("bias", "output_norm.bias" in source.tensors, "tensor", "output_norm.bias")
    found.known("qkv_bias", "blk.0.attn_qkv.bias" in source.tensors, "tensor", "attn_qkv.bias")
    found.known("epsilon", header.number("attention.layer_norm_epsilon", 1e-5), "file", "layer_norm_epsilon")


def _find_llama(found: Findings, source: Source, header: _Header) -> None:
    heads, C = found.values["n_head"], found.values["n_embd"]
    kv_heads = header.whole("attention.head_count_kv", heads)
    if kv_heads != heads:
        found.known("n_kv_head", kv_heads, "file", "head_count_kv")
    width = header.whole("attention.key_length", C // heads)
    if width * heads != C:
        found.known("head_width", width, "file", "key_length")
    if header.whole("attention.value_length", width) != width:
        raise header.not_built("attention.value_length")
    turning = header.whole("rope.dimension_count", width)
    if turning != width:
        found.known("rotary_width", turning, "file", "rope.dimension_count")
    factors = header.rotary_factors(source, turning // 2)
    if factors:
        found.known("rotary_factors", factors, "file", "rope scaling")
    found.known("epsilon", header.number("attention.layer_norm_rms_epsilon", 1e-5), "file", "layer_norm_rms_epsilon")
    found.known("rotary_base", header.number("rope.freq_base", 10_000.0), "file", "rope.freq_base")
    found.known("qkv_bias", "blk.0.attn_q.bias" in source.tensors, "tensor", "attn_q.bias")
    found.known("bias", "blk.0.attn_output.bias" in source.tensors, "tensor", "attn_output.bias")
    for name, value in (("positions", "rotary"), ("norm", "rmsnorm"), ("activation", "swiglu")):
        found.known(name, value, "convention", "Llama's")


class _Header:
    """The architecture's own part of the metadata."""

    def __init__(self, source: Source, told: Mapping[str, Any], kind: str) -> None:
        self._name, self._kind = source.name, kind
        self.told = {key.removeprefix(f"{kind}."): value for key, value in told.items() if key.startswith(f"{kind}.")}

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a positive whole number. Raises CheckpointError."""
        value = self.told.get(key, default)
        if isinstance(value, list) and value and all(one == value[0] for one in value):  # one for each layer
            value = value[0]
        if type(value) is not int or value < 1:
            raise CheckpointError(f"{self._name} has no {self._kind}.{key} that is a number of one and more", "")
        return value

    def number(self, key: str, default: float) -> float:
        """Return a positive number, of a float32 the shortest that is the same. Raises CheckpointError."""
        value = self.told.get(key, default)
        if not isinstance(value, int | float) or not 0 < value < np.inf:
            raise CheckpointError(f"{self._name} has no {self._kind}.{key} that is a number above zero", "")
        return float(str(np.float32(value)))

    def rotary_factors(self, source: Source, pairs: int) -> tuple[float, ...]:
        """Return how many times slower each pair of a head turns; none where they are not slowed."""
        if ROTARY_FACTORS in source.tensors:
            return tuple(float(str(factor)) for factor in read(source.tensors[ROTARY_FACTORS]).reshape(-1))
        kind = self.told.get("rope.scaling.type", "none")
        if kind not in ("none", "linear"):
            raise self.not_built("rope.scaling.type")
        factor = self.number("rope.scaling.factor", 1.0) if kind == "linear" else 1.0
        return (factor,) * pairs if factor != 1.0 else ()

    def check_the_rest(self, values: Mapping[str, Any]) -> None:
        """Check that nothing else is said that would be another net. Raises CheckpointError."""
        sizes = {"embedding_length": values["n_embd"], "block_count": values["n_layer"],
                 "vocab_size": values["vocab_size"]}  # fmt: skip
        for key, must in {**_MUST_BE, **sizes}.items():
            value = self.told.get(key, must)
            if value != must:
                raise self.not_built(key)

    def not_built(self, key: str) -> CheckpointError:
        """Return the error for a value that is not built here, or belongs to other tensors."""
        shown = str(self.told.get(key))[:40]
        return CheckpointError(f"{self._name} has {self._kind}.{key} = {shown}, which is not built here", "")
