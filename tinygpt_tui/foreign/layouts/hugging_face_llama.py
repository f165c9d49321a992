"""Hugging Face's Llama and what is built like it: Mistral, Qwen2, Qwen3, SmolLM, Phi-3."""

from __future__ import annotations

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights, head_counts
from tinygpt_tui.foreign.layouts.hugging_face_config import CONFIG, GATES, Config
from tinygpt_tui.foreign.layouts.hugging_face_rows import gate_apart, pairs_together
from tinygpt_tui.foreign.layouts.names import Names
from tinygpt_tui.foreign.rename import Placed, count, place
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import ArchitectureSettings

MODEL_TYPES = ("llama", "mistral", "qwen2", "qwen3", "phi3")  # config.json's `model_type`
PREFIXES = ("model.", "")
_QUERY = "self_attn.q_proj"
TABLE = Names(
    "model.", "embed_tokens", "layers",
    {
        "input_layernorm": ("ln_1", ""), "post_attention_layernorm": ("ln_2", ""),
        "self_attn.q_proj": ("attn.c_attn", "0"), "self_attn.k_proj": ("attn.c_attn", "1"),
        "self_attn.v_proj": ("attn.c_attn", "2"), "self_attn.qkv_proj": ("attn.c_attn", ""),
        "self_attn.o_proj": ("attn.c_proj", ""), "self_attn.q_norm": ("attn.q_norm", ""),
        "self_attn.k_norm": ("attn.k_norm", ""), "mlp.gate_proj": ("mlp.c_gate", ""), "mlp.up_proj": ("mlp.c_fc", ""),
        "mlp.gate_up_proj": ("mlp.c_gate_fc", ""), "mlp.down_proj": ("mlp.c_proj", ""),
    },
    "norm", "lm_head", ignored=("rotary_emb.inv_freq", "layers.{i}.self_attn.rotary_emb.inv_freq"),
).table()  # fmt: skip


class HuggingFaceLlama:
    """A folder of `LlamaForCausalLM` and its like."""

    name, title = "hf-llama", "Hugging Face's Llama, Mistral, Qwen2, Qwen3 and Phi-3"

    def recognises(self, source: Source) -> bool:
        return any(
            source.has(f"{prefix}embed_tokens.weight", f"{prefix}layers.0.mlp.down_proj.weight")
            and (f"{prefix}layers.0.{_QUERY}.weight" in source.tensors
                 or f"{prefix}layers.0.self_attn.qkv_proj.weight" in source.tensors)
            for prefix in PREFIXES
        )  # fmt: skip

    def match(self, source: Source) -> LayoutMatch:
        config = Config(source)
        check_type(source, config, MODEL_TYPES)
        placed = place(source.tensors, TABLE, f"a {config.model_type or 'Llama'} of Hugging Face")
        prefix = next(prefix for prefix in PREFIXES if f"{prefix}embed_tokens.weight" in source.tensors)
        block = f"{prefix}layers.0."
        found = Findings()
        C = found.embedding(source, f"{prefix}embed_tokens.weight", "embed_tokens")
        n_layer = count(source.tensors, f"{prefix}layers.{{i}}.mlp.down_proj.weight", "i")
        found.known("n_layer", n_layer, "tensor", "counted")
        found.known("hidden", source.shape(f"{block}mlp.down_proj.weight")[1], "tensor", "mlp.down_proj")
        config.add_window(found)
        head_size = _add_heads(found, source, config, block, C)
        config.add_rotation(found, head_size)
        found.known("norm", "rmsnorm", "convention", "Llama's")
        config.add_epsilon(found, 1e-5 if config.model_type == "phi3" else 1e-6)
        config.add_activation(found, GATES, "silu")
        if config.model_type not in ("", "llama"):
            config.add_windows(found, n_layer)
        qkv = f"{block}{_QUERY if f'{block}{_QUERY}.weight' in source.tensors else 'self_attn.qkv_proj'}"
        found.known("qkv_bias", f"{qkv}.bias" in source.tensors, "tensor", "in all or in none")
        others = ("self_attn.o_proj.bias", "mlp.down_proj.bias", "mlp.gate_proj.bias")
        found.known("bias", any(block + other in source.tensors for other in others), "tensor", "in any")
        if f"{block}self_attn.q_norm.weight" in source.tensors:
            found.known("qk_norm", True, "tensor", "q_norm")
            found.known("qk_norm_weight", True, "tensor", "q_norm")
        add_head(found, source, config, placed, "lm_head.weight")
        return found.match(found.settings(source.name), placed, finish=_finish, vocabulary_files="tokenizer.json")


def check_type(source: Source, config: Config, known: tuple[str, ...]) -> None:
    """Raise CheckpointError where config.json names another architecture, however alike its tensors look."""
    if config.model_type and config.model_type not in known:
        raise CheckpointError(
            f"{source.name} is a {config.model_type[:40]!r} ({CONFIG}: model_type), which is not known here",
            f"with such tensors are known: {', '.join(known)}",
        )


def add_head(found: Findings, source: Source, config: Config, placed: Placed, head: str, tied: bool = False) -> None:
    """Add whether the output head is the embedding; `tied` is what config.json means where it says nothing.

    Raises CheckpointError where there is neither.
    """
    told = config.values.get("tie_word_embeddings", tied)
    if head not in source.tensors and config.exists and told is not True:
        raise CheckpointError(
            f"{source.name} has no output head ({head})", "it is not a language model, or a part of one is missing"
        )
    is_tied = head not in source.tensors or told is True
    found.known("tied_head", is_tied, "sidecar" if config.exists else "tensor", CONFIG * config.exists)
    if is_tied:
        placed.pop("lm_head.weight", None)


def _add_heads(found: Findings, source: Source, config: Config, block: str, n_embd: int) -> int:
    """Add how many heads there are, and their width, which is returned."""
    n_head = config.number("num_attention_heads")
    if n_head is None:
        n_head = _guess_heads(found, source, block, n_embd)
    else:
        found.known("n_head", n_head, "sidecar", CONFIG)
    head_size = config.number("head_dim") or max(1, n_embd // n_head)
    if head_size * n_head != n_embd:
        found.known("head_width", head_size, "sidecar", CONFIG)
    if f"{block}{_QUERY}.weight" in source.tensors:
        queries, keys = (source.shape(f"{block}self_attn.{part}_proj.weight")[0] for part in "qk")
    else:
        queries = n_head * head_size
        keys = (source.shape(f"{block}self_attn.qkv_proj.weight")[0] - queries) // 2
    if queries != n_head * head_size or keys < 1 or keys % head_size:
        raise CheckpointError(
            f"{source.name}: queries {queries} and keys {keys} wide do not fit {n_head} heads of {head_size}",
            f"{CONFIG} is of another model",
        )
    if keys != queries:
        found.known("n_kv_head", keys // head_size, "tensor", "self_attn.k_proj")
    return head_size


def _guess_heads(found: Findings, source: Source, block: str, n_embd: int) -> int:
    keys = source.shape(f"{block}{_QUERY}.weight".replace("q_proj", "k_proj"))[0]
    if keys != n_embd:
        raise CheckpointError(f"{source.name} shares keys and values, and has no {CONFIG} that says how", "")
    even = tuple(heads for heads in head_counts(n_embd) if n_embd // heads % 2 == 0)
    found.unknown("n_head", even or (1,), f"shapes do not tell it; there is no {CONFIG}")
    return (even or (1,))[0]


def _finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
    return pairs_together(gate_apart(weights, settings), settings)
