"""Lays out a model's weights as gpt.c streams them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.native.panels import Block, Panels, Part, room
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.model_config import EMBEDDING, HEAD
from tinygpt_tui.settings.rules import problems

Precision = Literal["fp32", "int8"]


class Shaped(Protocol):
    """A tensor, or the place of one."""

    @property
    def shape(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class NativeWeights:
    """A model's weights as gpt.c reads them: `net` and each of `layers` by the names in library.py.

    Every array is one-dimensional and contiguous; all weights are parts of one block, aligned. A matrix of rounded
    weights has its `_scales` beside it.
    """

    settings: GPTSettings
    net: Mapping[str, NDArray[Any]]
    layers: tuple[Mapping[str, NDArray[Any]], ...]
    precision: Precision = "fp32"


def supports(settings: object) -> bool:
    """Whether gpt.c decodes nets of these settings."""
    return isinstance(settings, GPTSettings) and settings.is_standard


def arrange(
    settings: GPTSettings,
    tensors: Mapping[str, NDArray[Any]],
    name: str = "this model",
    precision: Precision = "fp32",
) -> NativeWeights:
    """Lay out a state dict, with or without the copy of a tied head. Raises CheckpointError, which names `name`."""
    check_sizes(settings, name)
    if settings.tied_head and EMBEDDING in tensors:
        tensors = {**tensors, HEAD: tensors[EMBEDDING]}
    check_fit(shapes(settings), tensors, name)
    if strange := next((key for key in tensors if tensors[key].dtype.kind != "f"), None):
        raise no_floats(name, strange, str(tensors[strange].dtype))
    rounded = precision == "int8"
    net = dict(_net_parts(settings, tensors, rounded))
    layers = [dict(_layer_parts(settings, tensors, layer, rounded)) for layer in range(settings.n_layer)]
    block = Block(sum(room(part) for parts in (net, *layers) for part in parts.values()))
    net_laid, *layers_laid = (
        {laid: where for part in parts.items() for laid, where in block.put(*part)} for parts in (net, *layers)
    )
    if settings.positions == "rotary":
        net_laid["frequencies"] = np.array(settings.rotary_frequencies, dtype=np.float64)
    return NativeWeights(settings, net_laid, tuple(layers_laid), precision)


def shapes(settings: GPTSettings) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in the state dict of a GPT with these settings."""
    s = settings
    V, T, C, F = s.vocab_size, s.block_size, s.n_embd, s.hidden_size
    qkv = (s.n_head + 2 * s.kv_heads) * s.head_size
    pair_rows, triple_rows = ngram_rows(s)
    found: dict[str, tuple[int, ...] | None] = {
        EMBEDDING: (V, C),
        "transformer.wpe.weight": (T, C) if s.positions == "learned" else None,
        "transformer.ngrams.pairs.weight": (pair_rows, C) if s.ngram_rows else None,
        "transformer.ngrams.triples.weight": (triple_rows, C) if s.ngram_rows else None,
        **_norm_shapes(s, "transformer.ln_f"),
        HEAD: (V, C),
        "lm_head.bias": (V,) if s.head_bias else None,
    }
    for layer in range(s.n_layer):
        at = f"transformer.h.{layer}"
        mix_weights = (s.token_shift, C) if s.token_shift else None
        found |= {
            **_norm_shapes(s, f"{at}.ln_1"),
            f"{at}.attn.c_attn.weight": (qkv, C),
            f"{at}.attn.c_attn.bias": (qkv,) if s.qkv_bias else None,
            f"{at}.attn.q_norm.weight": (s.head_size,) if s.qk_norm_weight else None,
            f"{at}.attn.k_norm.weight": (s.head_size,) if s.qk_norm_weight else None,
            f"{at}.attn.c_proj.weight": (C, s.n_head * s.head_size),
            f"{at}.attn.c_proj.bias": (C,) if s.bias else None,
            **_norm_shapes(s, f"{at}.ln_2"),
            f"{at}.mlp.c_fc.weight": (F, C),
            f"{at}.mlp.c_fc.bias": (F,) if s.bias else None,
            f"{at}.mlp.c_gate.weight": (F, C) if s.has_gate else None,
            f"{at}.mlp.c_gate.bias": (F,) if s.has_gate and s.bias else None,
            f"{at}.mlp.c_proj.weight": (C, F),
            f"{at}.mlp.c_proj.bias": (C,) if s.bias else None,
            f"{at}.shift_1.shares": mix_weights,
            f"{at}.shift_2.shares": mix_weights,
        }
    return {name: shape for name, shape in found.items() if shape is not None}


def ngram_rows(settings: GPTSettings) -> tuple[int, int]:
    """Return the rows of the pair table and of the triple table; see architectures/extras.py."""
    return min((settings.vocab_size + 1) ** 2, settings.ngram_rows), settings.ngram_rows


def check_sizes(settings: GPTSettings, name: str) -> None:
    """Raise CheckpointError, which names `name`, if the sizes are invalid."""
    positive = ("vocab_size", "block_size", "n_layer", "n_head", "n_embd")
    wrong = [size for size in positive if getattr(settings, size) < 1]
    if wrong or not 0 <= settings.token_shift <= 3 or settings.ngram_rows < 0 or settings.n_embd > 4096:
        raise CheckpointError(f"the settings of {name} are invalid: a size is out of its limits", "the file is damaged")
    for problem in problems(settings):
        raise CheckpointError(
            f"the settings of {name} are invalid: {problem.field.replace('_', ' ')} {problem.message}",
            "the file is damaged",
        )


def check_fit(wanted: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Shaped], name: str) -> None:
    """Raise CheckpointError, which names `name`, if tensors, or their places in a file, are not those `wanted`."""
    missing, extra = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    other = sorted(key for key in wanted.keys() & tensors.keys() if tensors[key].shape != wanted[key])
    if missing or extra or other:
        found = "; ".join(
            f"{words} {', '.join(names[:3])}"
            for words, names in (("missing:", missing), ("unknown:", extra), ("other shape:", other))
            if names
        )
        raise CheckpointError(f"the weights of {name} do not fit its settings ({found})", "copy the folder again")


def no_floats(name: str, tensor: str, kind: str) -> CheckpointError:
    return CheckpointError(f"{name}: {tensor} is made of {kind}, not of floats", "the file is damaged")


def _net_parts(settings: GPTSettings, tensors: Mapping[str, NDArray[Any]], rounded: bool) -> Iterator[tuple[str, Part]]:
    names = {
        "positions": "transformer.wpe.weight",
        "pairs": "transformer.ngrams.pairs.weight",
        "triples": "transformer.ngrams.triples.weight",
        "norm_weight": "transformer.ln_f.weight",
        "norm_bias": "transformer.ln_f.bias",
        "head_bias": "lm_head.bias",
    }
    yield from ((part, tensors[name]) for part, name in names.items() if name in tensors)
    # A tied head is read for the embeddings too: kept once, unless rounding would reach them.
    if rounded or not settings.tied_head:
        yield "embedding", tensors[EMBEDDING]
    yield "head", Panels(tensors[HEAD], rounded)


def _layer_parts(
    settings: GPTSettings, tensors: Mapping[str, NDArray[Any]], layer: int, rounded: bool
) -> Iterator[tuple[str, Part]]:
    at, D = f"transformer.h.{layer}", settings.head_size
    end = 0
    for part, heads in (("query", settings.n_head), ("key", settings.kv_heads), ("value", settings.kv_heads)):
        rows = slice(end, end := end + heads * D)
        yield part, Panels(tensors[f"{at}.attn.c_attn.weight"][rows], rounded)
        if settings.qkv_bias:
            yield f"{part}_bias", tensors[f"{at}.attn.c_attn.bias"][rows]
    matrices = {"projection": "attn.c_proj", "widen": "mlp.c_fc", "narrow": "mlp.c_proj"}
    if settings.has_gate:
        matrices["gate"] = "mlp.c_gate"
    for part, name in matrices.items():
        yield part, Panels(tensors[f"{at}.{name}.weight"], rounded)
    vectors = {
        "norm_1_weight": "ln_1.weight", "norm_1_bias": "ln_1.bias", "shift_1": "shift_1.shares",
        "norm_2_weight": "ln_2.weight", "norm_2_bias": "ln_2.bias", "shift_2": "shift_2.shares",
        "query_norm": "attn.q_norm.weight", "key_norm": "attn.k_norm.weight",
        **{f"{part}_bias": f"{name}.bias" for part, name in matrices.items()},
    }  # fmt: skip
    yield from ((part, tensors[f"{at}.{name}"]) for part, name in vectors.items() if f"{at}.{name}" in tensors)


def _norm_shapes(settings: GPTSettings, at: str) -> dict[str, tuple[int, ...] | None]:
    learned = settings.norm_weight
    biased = learned and settings.bias and settings.norm == "layernorm"
    width = (settings.n_embd,)
    return {f"{at}.weight": width if learned else None, f"{at}.bias": width if biased else None}
