"""GGUF: the file of llama.cpp, as its architecture `gpt2` or `llama`; matrices in float32, float16 or eight bits.

Characters go in as the vocabulary of llama.cpp's RWKV tokenizer, which takes the longest token that fits, byte by byte:
with one token a character that is our own tokenizer. Its GPT-2 tokenizer would take token 11 for the end of the text.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.exports.classic import classic_tensors, llama_tensors, renamed
from tinygpt_tui.exports.forms import FORMS, net_of
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.foreign.gguf_tokenizer import BYTE, CONTROL, NORMAL, UNUSED
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.foreign.layouts.gguf import GPT2_BLOCK, LLAMA_BLOCK, ROTARY_FACTORS, TOP
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.padded import PaddedTokenizer
from tinygpt_tui.tokenizers.pieces import BYTE_PIECE, PiecesTokenizer

_TOP = {ours: theirs for theirs, ours in TOP.items()}
_BLOCKS = {
    "gpt2": {ours: theirs for theirs, ours in GPT2_BLOCK.items()},
    "llama": {ours: theirs for theirs, ours in LLAMA_BLOCK.items()}
    | {f"attn.{part}": f"attn_{part}" for part in "qkv"},
}
_Q8_0_ROW = 32  # numbers behind one scale
_FULL = "position_embd.weight"  # in float32, as llama.cpp's own converter does


def write_f32(source: ExportSource, folder: Path) -> None:
    """Write `model.gguf` into `folder`."""
    _write(source, folder / FORMS["gguf"].file, "F32")


def write_f16(source: ExportSource, folder: Path) -> None:
    """Write `model-F16.gguf` into `folder`."""
    _write(source, folder / FORMS["gguf-f16"].file, "F16")


def write_q8_0(source: ExportSource, folder: Path) -> None:
    """Write `model-Q8_0.gguf` into `folder`; matrices whose rows are no whole blocks are in float16."""
    _write(source, folder / FORMS["gguf-q8_0"].file, "Q8_0")


def gguf_tensors(settings: GPTSettings, net: str, state: Weights) -> Weights:
    """Return the weights under gguf's names; a head that is the embedding is left out, as llama.cpp takes that then."""
    tensors = llama_tensors(settings, state) if net == "llama" else classic_tensors(settings, state, biases=True)
    found = renamed(tensors, _TOP, _BLOCKS[net], "blk.{}")
    if settings.rotary_factors:
        found[ROTARY_FACTORS] = np.array(settings.rotary_factors, np.float32)
    return found


def _write(source: ExportSource, path: Path, kind: str) -> None:
    gguf: Any = importlib.import_module("gguf")
    settings = source.gpt
    net = net_of(FORMS["gguf"], settings, approximate=True)
    assert net
    writer = gguf.GGUFWriter(path, net)
    writer.add_name(source.name)
    writer.add_file_type({"F32": gguf.LlamaFileType.ALL_F32, "F16": gguf.LlamaFileType.MOSTLY_F16,
                          "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}[kind])  # fmt: skip
    writer.add_vocab_size(settings.vocab_size)
    writer.add_block_count(settings.n_layer)
    writer.add_context_length(settings.block_size)
    writer.add_embedding_length(settings.n_embd)
    writer.add_feed_forward_length(settings.hidden_size)
    writer.add_head_count(settings.n_head)
    if net == "llama":
        writer.add_head_count_kv(settings.kv_heads)
        writer.add_key_length(settings.head_size)
        writer.add_value_length(settings.head_size)
        writer.add_rope_dimension_count(settings.head_size)
        writer.add_rope_freq_base(settings.rotary_base)
        writer.add_layer_norm_rms_eps(settings.epsilon)
    else:
        writer.add_layer_norm_eps(settings.epsilon)
    _add_tokenizer(writer, source.tokenizer)
    for name, tensor in gguf_tensors(settings, net, source.state()).items():
        _add_tensor(gguf, writer, name, np.ascontiguousarray(tensor), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tensor(gguf: Any, writer: Any, name: str, tensor: NDArray[np.float32], kind: str) -> None:
    if tensor.ndim == 1 or name == _FULL or kind == "F32":
        writer.add_tensor(name, tensor)
    elif kind == "F16" or tensor.shape[-1] % _Q8_0_ROW:
        writer.add_tensor(name, tensor.astype(np.float16))
    else:
        form = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(tensor, form), raw_dtype=form)


def has_place_for(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer can go along."""
    if isinstance(tokenizer, PaddedTokenizer):
        return has_place_for(tokenizer.inner)
    return isinstance(tokenizer, CharTokenizer | ByteTokenizer | BPETokenizer | PiecesTokenizer)


def _add_tokenizer(writer: Any, tokenizer: Tokenizer) -> None:
    padding = 0
    if isinstance(tokenizer, PaddedTokenizer):
        padding = tokenizer.size - tokenizer.inner.size
        tokenizer = tokenizer.inner
    if isinstance(tokenizer, CharTokenizer | ByteTokenizer):
        writer.add_tokenizer_model("rwkv")
        # As RWKV's own files have them: the bytes as Python writes them between quotes.
        tokens = [repr(tokenizer.bytes_of(id))[2:-1] for id in range(tokenizer.size)]
        types = [NORMAL] * tokenizer.size
    elif isinstance(tokenizer, BPETokenizer):
        stored = tokenizer.to_dict()
        tokens = sorted(stored["vocabulary"], key=stored["vocabulary"].get)
        types = [CONTROL if token in stored["special"] else NORMAL for token in tokens]
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(stored["merges"])
        if tokenizer.end_of_text is not None:
            writer.add_bos_token_id(tokenizer.end_of_text)
            writer.add_eos_token_id(tokenizer.end_of_text)
            writer.add_add_bos_token(False)
    elif isinstance(tokenizer, PiecesTokenizer):
        stored = tokenizer.to_dict()
        tokens = [piece.replace(" ", "▁") for piece in stored["pieces"]]
        control = set(stored["control"])
        types = [CONTROL if id in control else BYTE if BYTE_PIECE.fullmatch(piece) else NORMAL
                 for id, piece in enumerate(tokens)]  # fmt: skip
        writer.add_tokenizer_model("llama")
        writer.add_token_scores([*map(float, stored["scores"]), *[0.0] * padding])
        writer.add_add_bos_token(stored["begin"] is not None)
        writer.add_add_space_prefix(stored["blank_before"])
        if stored["begin"] is not None:
            writer.add_bos_token_id(stored["begin"])
        if tokenizer.end_of_text is not None:
            writer.add_eos_token_id(tokenizer.end_of_text)
    else:
        writer.add_tokenizer_model("none")  # ids whose meaning is not known
        return
    writer.add_token_list(tokens + [f"[PAD{len(tokens) + place}]" for place in range(padding)])
    writer.add_token_types(types + [UNUSED] * padding)
