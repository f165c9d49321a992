"""litgpt's checkpoints: lit_model.pth with model_config.yaml beside it, which says what the tensors do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights
from tinygpt_tui.foreign.layouts.hugging_face_config import LONGEST
from tinygpt_tui.foreign.layouts.hugging_face_rows import FUSED, one_norm, pairs_together
from tinygpt_tui.foreign.layouts.names import Names
from tinygpt_tui.foreign.rename import count, place
from tinygpt_tui.foreign.sidecars import read_text
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.reading import Damage, decode
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings

CONFIG = "model_config.yaml"
# What litgpt takes where the file does not say it.
_DEFAULTS: dict[str, Any] = {
    "n_head": 32, "block_size": 4096, "norm_class_name": "LayerNorm", "norm_eps": 1e-5, "parallel_residual": True,
    "rotary_percentage": 0.25, "rope_base": 10_000, "rope_condense_ratio": 1, "mlp_class_name": "GptNeoxMLP",
    "gelu_approximate": "none", "norm_qk_type": "default", "norm_1": True, "norm_2": True,
}  # fmt: skip
# Entries that change the net in ways that are not built here.
_STRANGE = ("n_expert", "post_attention_norm", "post_mlp_norm", "attention_logit_softcapping", "sliding_window_size",
            "latent_attention", "rope_adjustments", "rope_local_base_freq")  # fmt: skip
_NAMES = Names(
    "transformer.", "wte", "h",
    {"norm_1": ("ln_1", ""), "norm_2": ("ln_2", ""), "attn.qkv": ("attn.c_attn", ""), "attn.attn": ("attn.c_attn", ""),
     "attn.proj": ("attn.c_proj", ""), "attn.norm_q": ("attn.q_norm", ""), "attn.norm_k": ("attn.k_norm", ""),
     "mlp.fc": ("mlp.c_fc", ""), "mlp.fc_1": ("mlp.c_gate", ""), "mlp.fc_2": ("mlp.c_fc", ""),
     "mlp.proj": ("mlp.c_proj", "")},
    "ln_f", "lm_head",
)  # fmt: skip
_BLOCK = "transformer.h.0."


class LitGPT:
    """A folder of litgpt's. Without its model_config.yaml it is a GPT with names of its own."""

    name, title = "litgpt", "litgpt's"

    def recognises(self, source: Source) -> bool:
        fused = any(f"{_BLOCK}attn.{name}.weight" in source.tensors for name in ("qkv", "attn"))
        named = source.has("transformer.wte.weight", "lm_head.weight", f"{_BLOCK}attn.proj.weight")
        return fused and named and source.sidecar(CONFIG) is not None

    def match(self, source: Source) -> LayoutMatch:
        config = _DEFAULTS | _config(source)
        _check(source, config)
        placed = place(source.tensors, _NAMES.table(), "a model of litgpt")
        found = Findings()
        C = found.embedding(source, "transformer.wte.weight", "transformer.wte")
        n_layer = count(source.tensors, "transformer.h.{i}.attn.proj.weight", "i")
        found.known("n_layer", n_layer, "tensor", "counted")
        head_size = _add_heads(found, source, config, C)
        found.known("block_size", min(config["block_size"], LONGEST), "sidecar", CONFIG)
        found.known("positions", "rotary", "convention", "its architecture's")
        found.known("rotary_base", float(config["rope_base"]), "sidecar", CONFIG)
        rotary = int(config["rotary_percentage"] * head_size)
        found.known("rotary_width", rotary if rotary < head_size else 0, "sidecar", CONFIG)
        if config["rope_condense_ratio"] != 1:
            found.known("rotary_factors", (float(config["rope_condense_ratio"]),) * (rotary // 2), "sidecar", CONFIG)
        found.known("norm", config["norm_class_name"].lower(), "sidecar", CONFIG)
        found.known("epsilon", float(config["norm_eps"]), "sidecar", CONFIG)
        found.known("activation", _activation(config), "sidecar", CONFIG)
        found.known("parallel", config["parallel_residual"], "sidecar", CONFIG)
        hidden = "mlp.fc_1" if f"{_BLOCK}mlp.fc_1.weight" in source.tensors else "mlp.fc"
        found.known("hidden", source.shape(f"{_BLOCK}{hidden}.weight")[0], "tensor", hidden)
        found.known("bias", f"{_BLOCK}mlp.proj.bias" in source.tensors or _has_bias(source), "tensor")
        found.known(
            "qkv_bias", any(f"{_BLOCK}attn.{name}.bias" in source.tensors for name in ("qkv", "attn")), "tensor"
        )
        for name in ("qk_norm", "qk_norm_weight"):
            found.known(name, f"{_BLOCK}attn.norm_q.weight" in source.tensors, "tensor", "attn.norm_q")
        found.known("tied_head", False, "tensor", "the head is stored")
        found.known("head_bias", "lm_head.bias" in source.tensors, "tensor")
        found.known("logit_cap", float(config.get("final_logit_softcapping") or 0), "sidecar", CONFIG)
        if config.get("scale_embeddings"):
            found.readings["embedding_scale"] = "root_n_embd"
        return found.match(
            found.settings(source.name),
            placed,
            finish=_finish(
                shared=bool(config.get("shared_attention_norm")), grouped=f"{_BLOCK}attn.attn.weight" in source.tensors
            ),
            vocabulary_files="tokenizer.json",
        )


def _config(source: Source) -> dict[str, Any]:
    """Return the entries of model_config.yaml: plain values, a line each; what is nested only by its name.

    Raises CheckpointError, StorageError.
    """
    path = source.sidecar(CONFIG)
    entries = re.findall(r"^(\w+):(.*)$", read_text(path), re.MULTILINE) if path else []
    return {name: _value(written.partition(" #")[0].strip()) for name, written in entries}


def _value(written: str) -> Any:
    """Return a YAML scalar: true, 3, 1.0e-05, null, a word."""
    if written in ("null", "~"):
        return None
    try:
        return decode(written)
    except Damage:
        pass
    try:
        return float(written)
    except ValueError:
        return written.strip("'\"")


def _check(source: Source, config: dict[str, Any]) -> None:
    """Raise CheckpointError for entries of another kind than litgpt's, and for nets that are not built here."""
    for name, default in _DEFAULTS.items():
        fits = (
            isinstance(config[name], int | float)
            if isinstance(default, float)
            else isinstance(config[name], type(default))
        )
        if not fits or (type(default) in (int, float) and not 0 < config[name] < 1e9):
            raise CheckpointError(f"{source.name}: {CONFIG} has {name}: {str(config[name])[:40]!r}", "it is damaged")
    strange = [name for name in _STRANGE if name in config and config[name] not in (None, False, 0)]
    strange += [name for name in ("norm_1", "norm_2") if not config[name]]
    strange += ["norm_qk_type"] * (config["norm_qk_type"] != "default")
    if "gemma" in str(config.get("name", "")).lower():
        strange.append("name: norms of Gemma, whose weights are one less")
    if strange:
        raise CheckpointError(
            f"{source.name} is a model of litgpt with {strange[0]} in {CONFIG}, which is not built here",
            "convert it there: litgpt convert_from_litgpt",
        )


def _add_heads(found: Findings, source: Source, config: dict[str, Any], n_embd: int) -> int:
    """Add how many heads there are; return their width. Raises CheckpointError where they do not fit the tensors."""
    n_head, groups = config["n_head"], config.get("n_query_groups") or config["n_head"]
    head_size = config.get("head_size") or n_embd // n_head
    told = config.get("attention_scores_scalar") or head_size
    numbers = (groups, head_size, told)
    name = next(name for name in ("qkv", "attn") if f"{_BLOCK}attn.{name}.weight" in source.tensors)
    rows = source.shape(f"{_BLOCK}attn.{name}.weight")[0]
    if not all(type(one) is int and one > 0 for one in numbers) or rows != (n_head + 2 * groups) * head_size:
        raise CheckpointError(
            f"{source.name}: {n_head} heads of {head_size} in {CONFIG} do not fit {rows} rows of attn.{name}",
            f"{CONFIG} is of another model",
        )
    if told != head_size:
        raise CheckpointError(f"{source.name} scales its scores by {told}, which is not built here", "")
    found.known("n_head", n_head, "sidecar", CONFIG)
    if groups != n_head:
        found.known("n_kv_head", groups, "sidecar", CONFIG)
    if head_size * n_head != n_embd:
        found.known("head_width", head_size, "sidecar", CONFIG)
    return int(head_size)


def _activation(config: dict[str, Any]) -> str:
    kinds = {"GptNeoxMLP": "gelu", "LLaMAMLP": "swiglu", "GemmaMLP": "geglu"}
    kind = kinds.get(config["mlp_class_name"])
    if kind is None or config["norm_class_name"] not in ("LayerNorm", "RMSNorm"):
        raise CheckpointError(f"{CONFIG} names {config['mlp_class_name'][:40]}, which is not built here", "")
    return f"{kind}_tanh" if config["gelu_approximate"] == "tanh" and kind != "swiglu" else kind


def _has_bias(source: Source) -> bool:
    return f"{_BLOCK}attn.proj.bias" in source.tensors or f"{_BLOCK}norm_1.bias" in source.tensors


def _finish(*, shared: bool, grouped: bool) -> Callable[[Weights, ArchitectureSettings], Weights]:
    """Return what puts its rows in our order; `grouped`: each group's queries, key and value are together."""

    def finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
        assert isinstance(settings, GPTSettings)
        weights = one_norm(weights, settings) if shared else weights
        if grouped:
            weights = weights | {name: _groups_apart(weights[name], settings) for name in weights if FUSED in name}
        return pairs_together(weights, settings)

    return finish


def _groups_apart(numbers: Any, settings: GPTSettings) -> Any:
    """Return rows (G (Q + 2) D, …), of each group Q queries, key and value, with all queries first."""
    groups, each = settings.kv_heads, settings.n_head // settings.kv_heads
    parts = np.split(
        numbers.reshape(groups, each + 2, settings.head_size, *numbers.shape[1:]), [each, each + 1], axis=1
    )
    return np.concatenate([part.reshape(-1, *numbers.shape[1:]) for part in parts])
