"""A Hugging Face folder: config.json, model.safetensors, and a tokenizer for transformers.

GPT-2, Llama and the encoder-decoder are loaded by transformers' own classes. Any other net brings a small model file of
its own, which transformers runs if it may (`trust_remote_code=True`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.numpy

from tinygpt_tui.exports import blenderbot
from tinygpt_tui.exports.classic import classic_tensors, llama_tensors, renamed
from tinygpt_tui.exports.forms import FORMS, STANDARD, net_of
from tinygpt_tui.exports.place import MODEL_FILE
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import (
    ArchitectureSettings,
    BackpackSettings,
    EncoderDecoderSettings,
    GPTSettings,
    name_of,
)
from tinygpt_tui.settings.model_config import HEAD
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import END_OF_TEXT, BPETokenizer, letters_of_bytes
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.hugging_face import HuggingFaceTokenizer

ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu", "relu_squared": "relu2"}
# Kept (in, out) there: GPT-2 was written with a Conv1D where others have a Linear.
TURNED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


_LLAMA_TOP = {"transformer.wte": "model.embed_tokens", "transformer.ln_f": "model.norm", "lm_head": "lm_head"}
_LLAMA_BLOCK = {
    "ln_1": "input_layernorm", "ln_2": "post_attention_layernorm", "attn.q": "self_attn.q_proj",
    "attn.k": "self_attn.k_proj", "attn.v": "self_attn.v_proj", "attn.c_proj": "self_attn.o_proj",
    "mlp.c_gate": "mlp.gate_proj", "mlp.c_fc": "mlp.up_proj", "mlp.c_proj": "mlp.down_proj",
}  # fmt: skip


def write(source: ExportSource, folder: Path) -> None:
    """Write config, weights and tokenizer into `folder`."""
    settings = source.config.architecture
    net = net_of(FORMS["hf"], settings) or ""
    tensors = (_TENSORS[net] if net in STANDARD else _own)(settings, source.state())
    (folder / "model.safetensors").write_bytes(safetensors.numpy.save(tensors, metadata={"format": "pt"}))
    end = source.tokenizer.end_of_text
    config = configuration(settings, net, end)
    generation = {"bos_token_id": end, "eos_token_id": end, "do_sample": True}
    if net not in STANDARD:
        config["shapes"] = {name: tensor.shape for name, tensor in tensors.items()}
        (folder / MODEL_FILE).write_text(model_file(), encoding="utf-8", newline="\n")
        generation["use_cache"] = False
    elif isinstance(settings, EncoderDecoderSettings):
        generation["decoder_start_token_id"] = settings.separator
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", generation)
    _write_tokenizer(folder, source.tokenizer, settings.block_size)


def has_place_for(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer can go along."""
    return isinstance(tokenizer, CharTokenizer | ByteTokenizer | BPETokenizer | HuggingFaceTokenizer)


def _write_tokenizer(folder: Path, tokenizer: Tokenizer, window: int) -> None:
    fast = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": window,
        "clean_up_tokenization_spaces": False,
    }
    end = tokenizer.end_of_text
    if isinstance(tokenizer, CharTokenizer):
        _write_json(folder / "tokenizer.json", character_tokenizer(tokenizer.characters))
        _write_json(folder / "tokenizer_config.json", fast)
    elif isinstance(tokenizer, ByteTokenizer) and tokenizer.characters:
        _write_json(folder / "tokenizer.json", fallback_tokenizer(tokenizer.characters))
        _write_json(folder / "tokenizer_config.json", fast)
    elif isinstance(tokenizer, ByteTokenizer):
        letters = {letter: byte for byte, letter in letters_of_bytes().items()}
        _write_json(folder / "tokenizer.json", byte_level_tokenizer(letters, [], split=False))
        _write_json(folder / "tokenizer_config.json", fast)
    elif isinstance(tokenizer, HuggingFaceTokenizer):
        _write_json(folder / "tokenizer.json", tokenizer.to_dict()["content"])
        name = {} if end is None else {"eos_token": tokenizer.bytes_of(end).decode("utf-8", "replace")}
        _write_json(folder / "tokenizer_config.json", fast | name)
    elif isinstance(tokenizer, BPETokenizer) and end is None:  # GPT2Tokenizer would give it one, with an id too many
        stored = tokenizer.to_dict()
        pairs = [merge.split(" ") for merge in stored["merges"]]
        _write_json(folder / "tokenizer.json", byte_level_tokenizer(stored["vocabulary"], pairs, split=True))
        _write_json(folder / "tokenizer_config.json", fast)
    elif isinstance(tokenizer, BPETokenizer):
        stored = tokenizer.to_dict()
        _write_json(folder / "vocab.json", stored["vocabulary"])
        merges = "".join(f"{merge}\n" for merge in stored["merges"])
        (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}", encoding="utf-8", newline="\n")
        kind = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": window}
        special = dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT)
        _write_json(folder / "tokenizer_config.json", kind | special)


def _gpt2(settings: GPTSettings, state: Weights) -> Weights:
    tensors = classic_tensors(settings, state, biases=True)
    return {
        name: np.ascontiguousarray(tensor.T) if name.endswith(TURNED) else tensor for name, tensor in tensors.items()
    }


def llama_modules(part: str) -> list[str]:
    """Return the names there of what is our module `part`: of queries, keys and values three."""
    parts = [part.replace("c_attn", one) for one in "qkv"] if part.endswith("attn.c_attn") else [part]
    nothing = {f"{one}.weight": np.empty(0, np.float32) for one in parts}
    return [name.removesuffix(".weight") for name in renamed(nothing, _LLAMA_TOP, _LLAMA_BLOCK, "model.layers.{}")]


def llama_weights(settings: GPTSettings, state: Weights) -> Weights:
    """Return the weights under Llama's names; there the halves of a head turn together, here neighbours do."""
    tensors = llama_tensors(settings, state)
    for name in tensors:
        part = name.rpartition(".")[0]
        if part.endswith((".attn.q", ".attn.k")):
            pairs = tensors[name].reshape(-1, settings.head_size // 2, 2, *tensors[name].shape[1:])
            tensors[name] = np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(tensors[name].shape)
    return renamed(tensors, _LLAMA_TOP, _LLAMA_BLOCK, "model.layers.{}")


def _own(settings: ArchitectureSettings, state: Weights) -> Weights:
    return {name: tensor for name, tensor in state.items() if not (settings.tied_head and name == HEAD)}


_TENSORS: dict[str, Callable[[Any, Weights], Weights]] = {
    "gpt2": _gpt2, "llama": llama_weights, blenderbot.NET: blenderbot.tensors,
}  # fmt: skip


def model_file() -> str:
    """Return the program that computes any net in transformers; only the check of a new export runs it here."""
    return Path(__file__).with_name(f"{MODEL_FILE}.txt").read_text(encoding="utf-8")


def configuration(settings: ArchitectureSettings, net: str, end_of_text: int | None) -> dict[str, Any]:
    """Return what transformers' GPT2Config, LlamaConfig or BlenderbotConfig reads, or the one of our own model file."""
    return {
        **(_CONFIGS[net] if net in STANDARD else _own_config)(settings),
        "vocab_size": settings.vocab_size,
        "tie_word_embeddings": settings.tied_head and net in STANDARD,  # our model file ties by itself
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "dtype": "float32",
    }


def _gpt2_config(settings: GPTSettings) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_positions": settings.block_size,
        "n_embd": settings.n_embd,
        "n_layer": settings.n_layer,
        "n_head": settings.n_head,
        "n_inner": settings.hidden_size,
        "activation_function": ACTIVATIONS[settings.activation],
        "layer_norm_epsilon": settings.epsilon,
        "resid_pdrop": settings.dropout,
        "embd_pdrop": settings.dropout,
        "attn_pdrop": settings.attention_dropout,
    }


def _llama_config(settings: GPTSettings) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "max_position_embeddings": settings.block_size,
        "hidden_size": settings.n_embd,
        "intermediate_size": settings.hidden_size,
        "num_hidden_layers": settings.n_layer,
        "num_attention_heads": settings.n_head,
        "num_key_value_heads": settings.kv_heads,
        "head_dim": settings.head_size,
        "hidden_act": "silu",
        "rms_norm_eps": settings.epsilon,
        "rope_theta": settings.rotary_base,
        "attention_bias": settings.bias or settings.qkv_bias,
        "mlp_bias": settings.bias,
        "attention_dropout": settings.attention_dropout,
    }


def _own_config(settings: ArchitectureSettings) -> dict[str, Any]:
    module, kind = MODEL_FILE.removesuffix(".py"), "TinyGPT"
    return {
        "architectures": [f"{kind}ForCausalLM"],
        "model_type": "tinygpt_tui",
        "auto_map": {"AutoConfig": f"{module}.{kind}Config", "AutoModelForCausalLM": f"{module}.{kind}ForCausalLM"},
        "net": name_of(settings),
        "settings": msgspec.structs.asdict(settings),
        "sees": (settings.receptive_field or 0) if settings.supports_sliding else settings.block_size,
        **_attention_config(settings),
    }


def _attention_config(settings: ArchitectureSettings) -> dict[str, Any]:
    """Return what the model file needs to know of a transformer, or of the one in a Backpack."""
    if isinstance(settings, BackpackSettings):
        trunk = settings.trunk
        both = msgspec.structs.asdict(trunk) | {"n_sense": settings.n_sense}
        return {**_attention_config(trunk), "settings": both}
    if not isinstance(settings, GPTSettings):
        return {}
    windows = [settings.window_of(layer) for layer in range(settings.n_layer)]
    return {
        "frequencies": settings.rotary_frequencies if settings.is_rotary else [],
        "windows": [window if settings.sliding or window < settings.block_size else 0 for window in windows],
    }


_CONFIGS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "gpt2": _gpt2_config, "llama": _llama_config, blenderbot.NET: blenderbot.configuration,
}  # fmt: skip


def character_tokenizer(characters: str) -> dict[str, Any]:
    """Return a `tokenizer.json` of the tokenizers library that gives each character its id.

    BPE without merges leaves every character by itself, and without a token for the unknown it leaves out what it does
    not know, as we do.
    """
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {character: id for id, character in enumerate(characters)},
            "merges": [],
        },
    }


def fallback_tokenizer(characters: str) -> dict[str, Any]:
    """Return a `tokenizer.json` with the ids of ByteTokenizer: the bytes, then a character each."""
    stored = character_tokenizer("")
    decoder = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, stored["decoder"]]}
    vocabulary = {piece: id for id, piece in enumerate([*(f"<0x{byte:02X}>" for byte in range(256)), *characters])}
    return stored | {"decoder": decoder, "model": stored["model"] | {"byte_fallback": True, "vocab": vocabulary}}


def byte_level_tokenizer(vocabulary: dict[str, int], merges: list[list[str]], *, split: bool) -> dict[str, Any]:
    """Return a `tokenizer.json` of byte-level BPE; with `split` texts are split as GPT-2's are, before it joins."""
    letters = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": split}
    stored = character_tokenizer("") | {"pre_tokenizer": letters, "decoder": letters}
    return stored | {"model": stored["model"] | {"vocab": vocabulary, "merges": merges}}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
