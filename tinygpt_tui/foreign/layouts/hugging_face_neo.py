"""Hugging Face's GPT-Neo, GPT-NeoX, GPT-J and Phi: EleutherAI's families, and what was built after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights, head_counts
from tinygpt_tui.foreign.layouts.hugging_face_config import ACTIVATIONS, CONFIG, Config, add_local
from tinygpt_tui.foreign.layouts.hugging_face_llama import add_head, check_type
from tinygpt_tui.foreign.layouts.hugging_face_rows import heads_apart, one_norm, pairs_together, without_scale
from tinygpt_tui.foreign.layouts.names import Names
from tinygpt_tui.foreign.rename import count, place
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import ArchitectureSettings

_QKV = {f"{part}_proj": ("attn.c_attn", str(place)) for place, part in enumerate("qkv")}


class _Family:
    """What the four layouts have in common: layer norms, biases, an MLP of two matrices."""

    name: str
    title: str
    model_types: tuple[str, ...]
    names: Names
    query: str  # a tensor of a block that the others of this file do not have
    hidden: str
    tied = False

    def recognises(self, source: Source) -> bool:
        block = f"{self.names.block}.0."
        return any(
            source.has(f"{prefix}{self.names.embedding}.weight", f"{prefix}{block}{self.query}.weight",
                       f"{prefix}{block}{self.hidden}.weight")
            for prefix in (self.names.prefix, "")
        )  # fmt: skip

    def match(self, source: Source) -> LayoutMatch:
        config, names = Config(source), self.names
        check_type(source, config, self.model_types)
        placed = place(source.tensors, names.table(), self.title)
        prefix = names.prefix if f"{names.prefix}{names.embedding}.weight" in source.tensors else ""
        block = f"{prefix}{names.block}.0."
        found = Findings()
        C = found.embedding(source, f"{prefix}{names.embedding}.weight", names.embedding)
        n_layer = count(source.tensors, f"{prefix}{names.block}.{{i}}.{self.query}.weight", "i")
        found.known("n_layer", n_layer, "tensor", "counted")
        found.known("hidden", source.shape(f"{block}{self.hidden}.weight")[0], "tensor", self.hidden)
        n_head = config.number("num_attention_heads", "num_heads", "n_head")
        if n_head:
            found.known("n_head", n_head, "sidecar", CONFIG)
        else:
            found.unknown("n_head", head_counts(C), f"shapes do not tell it; there is no {CONFIG}")
            n_head = int(found.values["n_head"])
        if C % n_head:
            raise CheckpointError(f"{source.name}: {n_head} heads do not fit a width of {C}", "it is damaged")
        found.known("bias", True, "convention", "in norms, projections and MLP")
        found.known("qkv_bias", f"{block}{self.query}.bias" in source.tensors, "tensor", self.query)
        config.add_epsilon(found, 1e-5)
        config.add_activation(found, ACTIVATIONS, "gelu" if names.head == "embed_out" else "gelu_new")
        add_head(found, source, config, placed, f"{names.head}.weight", self.tied)
        if f"{names.head}.bias" in source.tensors:
            found.known("head_bias", True, "tensor", names.head)
        self.add(found, source, config, prefix)
        return found.match(found.settings(source.name), placed, finish=self.finish, vocabulary_files="tokenizer.json")

    def add(self, found: Findings, source: Source, config: Config, prefix: str) -> None:
        """Add what this family has of its own."""
        raise NotImplementedError

    def finish(self, weights: Weights, settings: ArchitectureSettings) -> Weights:
        """Return the weights in our order; see LayoutMatch."""
        raise NotImplementedError


class GPTNeo(_Family):
    """GPT-Neo: every second layer sees a window, and scores have no scale."""

    name, title = "hf-gpt-neo", "Hugging Face's GPT-Neo"
    model_types = ("gpt_neo",)
    names = Names(
        "transformer.", "wte", "h",
        {"ln_1": ("ln_1", ""), "ln_2": ("ln_2", ""), "mlp.c_fc": ("mlp.c_fc", ""), "mlp.c_proj": ("mlp.c_proj", ""),
         "attn.attention.out_proj": ("attn.c_proj", ""),
         **{f"attn.attention.{name}": ours for name, ours in _QKV.items()}},
        "ln_f", "lm_head", "wpe", ("h.{i}.attn.attention.bias", "h.{i}.attn.attention.masked_bias"),
    )  # fmt: skip
    query, hidden, tied = "attn.attention.q_proj", "mlp.c_fc", True

    def add(self, found: Findings, source: Source, config: Config, prefix: str) -> None:
        found.known("block_size", source.shape(f"{prefix}wpe.weight")[0], "tensor", "wpe")
        n_layer = found.values["n_layer"]
        kinds = _neo_layers(config.values)
        if kinds is None:
            kinds = ["global", "local"] * n_layer
        if len(kinds) < n_layer or not {"global", "local"}.issuperset(kinds):
            raise CheckpointError(
                f"{source.name}: {CONFIG} does not say what its {n_layer} layers see", "it is damaged"
            )
        window = config.number("window_size") or 256
        add_local(found, window, [kind == "local" for kind in kinds[:n_layer]])

    def finish(self, weights: Weights, settings: ArchitectureSettings) -> Weights:
        return without_scale(weights, settings)


class GPTNeoX(_Family):
    """GPT-NeoX, Pythia: attention beside the MLP, a part of each head rotates, one matrix head by head."""

    name, title = "hf-gpt-neox", "Hugging Face's GPT-NeoX"
    model_types = ("gpt_neox",)
    names = Names(
        "gpt_neox.", "embed_in", "layers",
        {"input_layernorm": ("ln_1", ""), "post_attention_layernorm": ("ln_2", ""),
         "attention.query_key_value": ("attn.c_attn", ""), "attention.dense": ("attn.c_proj", ""),
         "mlp.dense_h_to_4h": ("mlp.c_fc", ""), "mlp.dense_4h_to_h": ("mlp.c_proj", "")},
        "final_layer_norm", "embed_out",
        ignored=tuple(f"layers.{{i}}.attention.{name}" for name in ("bias", "masked_bias", "rotary_emb.inv_freq")),
    )  # fmt: skip
    query, hidden = "attention.query_key_value", "mlp.dense_h_to_4h"

    def add(self, found: Findings, source: Source, config: Config, prefix: str) -> None:
        config.add_window(found)
        config.add_rotation(found, found.values["n_embd"] // found.values["n_head"], 0.25)
        parallel = config.values.get("use_parallel_residual", True) is True
        found.known("parallel", parallel, "sidecar" if config.exists else "convention", CONFIG * config.exists)

    def finish(self, weights: Weights, settings: ArchitectureSettings) -> Weights:
        return pairs_together(heads_apart(weights, settings), settings)


class GPTJ(_Family):
    """GPT-J: attention beside the MLP, both after one norm; neighbours rotate."""

    name, title = "hf-gptj", "Hugging Face's GPT-J"
    model_types = ("gptj",)
    names = Names(
        "transformer.", "wte", "h",
        {"ln_1": ("ln_1", ""), "mlp.fc_in": ("mlp.c_fc", ""), "mlp.fc_out": ("mlp.c_proj", ""),
         "attn.out_proj": ("attn.c_proj", ""), **{f"attn.{name}": ours for name, ours in _QKV.items()}},
        "ln_f", "lm_head",
        ignored=tuple(f"h.{{i}}.attn.{name}" for name in ("bias", "masked_bias", "embed_positions")),
    )  # fmt: skip
    query, hidden = "attn.q_proj", "mlp.fc_in"

    def add(self, found: Findings, source: Source, config: Config, prefix: str) -> None:
        config.add_window(found)
        config.add_rotation(found, found.values["n_embd"] // found.values["n_head"])
        found.known("parallel", True, "convention", "its architecture's")

    def finish(self, weights: Weights, settings: ArchitectureSettings) -> Weights:
        return one_norm(weights, settings)


class Phi(_Family):
    """Phi: attention beside the MLP, both after one norm; a part of each head rotates."""

    name, title = "hf-phi", "Hugging Face's Phi"
    model_types = ("phi",)
    names = Names(
        "model.", "embed_tokens", "layers",
        {"input_layernorm": ("ln_1", ""), "mlp.fc1": ("mlp.c_fc", ""), "mlp.fc2": ("mlp.c_proj", ""),
         "self_attn.dense": ("attn.c_proj", ""), **{f"self_attn.{name}": ours for name, ours in _QKV.items()}},
        "final_layernorm", "lm_head", ignored=("layers.{i}.self_attn.rotary_emb.inv_freq",),
    )  # fmt: skip
    query, hidden = "self_attn.q_proj", "mlp.fc1"

    def add(self, found: Findings, source: Source, config: Config, prefix: str) -> None:
        head_size = found.values["n_embd"] // found.values["n_head"]
        keys = source.shape(f"{prefix}layers.0.self_attn.k_proj.weight")[0]
        if keys % head_size:
            raise CheckpointError(f"{source.name}: keys {keys} wide for heads of {head_size}", "it is damaged")
        if keys != found.values["n_embd"]:
            found.known("n_kv_head", keys // head_size, "tensor", "self_attn.k_proj")
        config.add_window(found)
        config.add_rotation(found, head_size, 0.5)
        found.known("parallel", True, "convention", "its architecture's")

    def finish(self, weights: Weights, settings: ArchitectureSettings) -> Weights:
        return pairs_together(one_norm(weights, settings), settings)


def _neo_layers(told: Mapping[str, Any]) -> list[str] | None:
    """Return what each layer sees; older files say it as [[["global", "local"], 12]]."""
    layers, types = told.get("attention_layers"), told.get("attention_types")
    if isinstance(layers, list):
        return [str(kind) for kind in layers]
    if not isinstance(types, list):
        return None
    found: list[str] = []
    for entry in types:
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], list):
            return []
        times = entry[1]
        if type(times) is not int or not 0 < times <= 1000:
            return []
        found += [str(kind) for kind in entry[0]] * times
    return found
