"""A Hugging Face GPT-2 folder: config.json, model.safetensors, and a tokenizer that transformers can load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from tinygpt_tui.exports.classic import classic_tensors
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.bpe import END_OF_TEXT, BPETokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer

ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu", "relu_squared": "relu2"}
# Kept (in, out) there: GPT-2 was written with a Conv1D where others have a Linear.
TURNED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def write(source: ExportSource, folder: Path) -> None:
    """Write config, weights and tokenizer into `folder`."""
    settings = source.gpt
    tensors = classic_tensors(settings, source.state(), biases=True)
    turned = {
        name: np.ascontiguousarray(tensor.T) if name.endswith(TURNED) else tensor for name, tensor in tensors.items()
    }
    (folder / "model.safetensors").write_bytes(safetensors.numpy.save(turned, metadata={"format": "pt"}))
    end = source.tokenizer.end_of_text
    _write_json(folder / "config.json", configuration(settings, end))
    _write_json(folder / "generation_config.json", {"bos_token_id": end, "eos_token_id": end, "do_sample": True})
    if isinstance(source.tokenizer, CharTokenizer):
        _write_json(folder / "tokenizer.json", character_tokenizer(source.tokenizer.characters))
        kind = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": settings.block_size,
            "clean_up_tokenization_spaces": False,
        }
        _write_json(folder / "tokenizer_config.json", kind)
    elif isinstance(source.tokenizer, BPETokenizer):
        stored = source.tokenizer.to_dict()
        _write_json(folder / "vocab.json", stored["vocabulary"])
        merges = "".join(f"{merge}\n" for merge in stored["merges"])
        (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}", encoding="utf-8", newline="\n")
        kind = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": settings.block_size}
        special = dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT) if end is not None else {}
        _write_json(folder / "tokenizer_config.json", kind | special)


def configuration(settings: GPTSettings, end_of_text: int | None) -> dict[str, Any]:
    """Return what transformers' GPT2Config reads."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": settings.vocab_size,
        "n_positions": settings.block_size,
        "n_embd": settings.n_embd,
        "n_layer": settings.n_layer,
        "n_head": settings.n_head,
        "activation_function": ACTIVATIONS[settings.activation],
        "layer_norm_epsilon": 1e-5,
        "resid_pdrop": settings.dropout,
        "embd_pdrop": settings.dropout,
        "attn_pdrop": settings.attention_dropout,
        "tie_word_embeddings": settings.tied_head,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "dtype": "float32",
    }


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


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
