"""GGUF: the file of llama.cpp, as its architecture `gpt2`, all weights in float32.

Characters go in as the vocabulary of llama.cpp's RWKV tokenizer, which takes the longest token that fits, byte by byte:
with one token a character that is our own tokenizer. Its GPT-2 tokenizer would take token 11 for the end of the text.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from tinygpt_tui.exports.classic import classic_tensors
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer

_TOP = {
    "token_embd": "transformer.wte",
    "position_embd": "transformer.wpe",
    "output_norm": "transformer.ln_f",
    "output": "lm_head",
}
_BLOCK = {
    "attn_norm": "ln_1",
    "attn_qkv": "attn.c_attn",
    "attn_output": "attn.c_proj",
    "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc",
    "ffn_down": "mlp.c_proj",
}
NORMAL, CONTROL = 1, 3  # among gguf's kinds of token: text, and what is no text


def write(source: ExportSource, folder: Path) -> None:
    """Write `model.gguf` into `folder`."""
    gguf: Any = importlib.import_module("gguf")
    settings = source.gpt
    writer = gguf.GGUFWriter(folder / "model.gguf", "gpt2")
    writer.add_name(source.name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(settings.n_layer)
    writer.add_context_length(settings.block_size)
    writer.add_embedding_length(settings.n_embd)
    writer.add_feed_forward_length(4 * settings.n_embd)
    writer.add_head_count(settings.n_head)
    writer.add_layer_norm_eps(1e-5)
    _add_tokenizer(writer, source)
    for name, tensor in gguf_tensors(settings, source.state()).items():
        writer.add_tensor(name, np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_names(settings: GPTSettings) -> dict[str, str]:
    """Return gguf's name of each part of GPT-2's skeleton, without `.weight` and `.bias`."""
    names = {ours: theirs for theirs, ours in _TOP.items()}
    for layer in range(settings.n_layer):
        names |= {f"transformer.h.{layer}.{ours}": f"blk.{layer}.{theirs}" for theirs, ours in _BLOCK.items()}
    return names


def gguf_tensors(settings: GPTSettings, state: Weights) -> Weights:
    """Return the weights under gguf's names; a tied head stands for itself, since not every reader ties it."""
    tensors = classic_tensors(settings, state, biases=True)
    tensors.setdefault("lm_head.weight", tensors["transformer.wte.weight"])
    names = gguf_names(settings)
    return {renamed(name, names): tensor for name, tensor in tensors.items()}


def renamed(tensor: str, names: dict[str, str]) -> str:
    """Return a tensor's name with its part, all before `.weight` or `.bias`, under its other name."""
    part, _, kind = tensor.rpartition(".")
    return f"{names[part]}.{kind}"


def _add_tokenizer(writer: Any, source: ExportSource) -> None:
    tokenizer = source.tokenizer
    if isinstance(tokenizer, CharTokenizer):
        writer.add_tokenizer_model("rwkv")
        # As RWKV's own files have them: the bytes as Python writes them between quotes.
        writer.add_token_list([repr(character.encode("utf-8"))[2:-1] for character in tokenizer.characters])
        writer.add_token_types([NORMAL] * tokenizer.size)
    elif isinstance(tokenizer, BPETokenizer):
        stored = tokenizer.to_dict()
        tokens = sorted(stored["vocabulary"], key=stored["vocabulary"].get)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(tokens)
        writer.add_token_types([CONTROL if token in stored["special"] else NORMAL for token in tokens])
        writer.add_token_merges(stored["merges"])
        if tokenizer.end_of_text is not None:
            writer.add_bos_token_id(tokenizer.end_of_text)
            writer.add_eos_token_id(tokenizer.end_of_text)
            writer.add_add_bos_token(False)
