"""GGUF files, written by the gguf package, against the nets that are in them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_programs import Llama, made
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.stored import weights_of
from tinygpt_tui.checkpoints.torch_net import filled, tensors_of
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.ggml_blocks import BLOCKS, dequantised
from tinygpt_tui.foreign.gguf_tokenizer import stored_tokenizer
from tinygpt_tui.foreign.opening import inspect_checkpoint

gguf = pytest.importorskip("gguf", reason="gguf is not installed")

V, T, C, H, KV, HIDDEN = 40, 10, 64, 4, 2, 96
TOP = {"tok_embeddings": "token_embd", "norm": "output_norm", "output": "output"}
BLOCK = {
    "attention.wq": "attn_q", "attention.wk": "attn_k", "attention.wv": "attn_v", "attention.wo": "attn_output",
    "feed_forward.w1": "ffn_gate", "feed_forward.w3": "ffn_up", "feed_forward.w2": "ffn_down",
    "attention_norm": "attn_norm", "ffn_norm": "ffn_norm",
}  # fmt: skip


def llama(tied: bool = False) -> Llama:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return made(Llama(V, T, C, H, KV, hidden=HIDDEN, tied=tied))


def tensors_in_gguf(model: Llama) -> dict[str, NDArray[np.float32]]:
    tensors = {}
    for name, tensor in model.state_dict().items():
        part = name.removesuffix(".weight")
        if part.startswith("layers."):
            _, layer, part = part.split(".", 2)
            tensors[f"blk.{layer}.{BLOCK[part]}.weight"] = tensor.numpy()
        else:
            tensors[f"{TOP[part]}.weight"] = tensor.numpy()
    return tensors


def write(
    path: Path, tensors: dict[str, NDArray[Any]], kind: str = "F32", architecture: str = "llama", **more: Any
) -> Path:
    """Write a GGUF; `more` are entries of the architecture, with __ for a dot."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(T)
    writer.add_embedding_length(C)
    writer.add_block_count(2)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(H)
    writer.add_head_count_kv(KV)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, value in more.items():
        key = f"{architecture}.{name.replace('__', '.')}"
        (writer.add_string if isinstance(value, str) else writer.add_uint32)(key, value)
    add_pieces(writer)
    form = gguf.GGMLQuantizationType[kind]
    for name, tensor in tensors.items():
        if tensor.ndim == 1 or kind == "F32":
            writer.add_tensor(name, tensor)
        else:
            writer.add_tensor(name, gguf.quants.quantize(tensor, form), raw_dtype=form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_pieces(writer: Any) -> None:
    tokens = ["<unk>", "<s>", "</s>", "▁", *"abcdefg", "ab", "▁ab", *(f"<0x{byte:02X}>" for byte in range(65, 92))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(id) for id in range(len(tokens))])
    writer.add_token_types([2, 3, 3, *[1] * 10, *[6] * 27])


def net(path: Path) -> LanguageModel:
    inspection = inspect_checkpoint(path)
    assert inspection.layout.name == "gguf"
    assert inspection.questions == ()
    return filled(inspection.settings, tensors_of(weights_of(inspection))).eval()


@torch.inference_mode()
def difference(path: Path, model: Llama) -> float:
    """How far the logits are apart, as a share of their spread."""
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    ours, theirs = net(path)(ids), model(ids)
    return float((ours - theirs).abs().max() / (theirs.max() - theirs.min()))


@pytest.mark.parametrize(
    ("kind", "near"), [("F32", 1e-5), ("F16", 2e-3), ("BF16", 2e-2), ("Q8_0", 5e-2), ("Q4_0", 0.3)]
)
def test_every_kind_of_number_gives_the_nets_logits(kind: str, near: float, tmp_path: Path) -> None:
    model = llama()
    assert difference(write(tmp_path / "one.gguf", tensors_in_gguf(model), kind), model) < near


def halves(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Order the rows of each head as those who turn its two halves do: the even ones, then the odd ones."""
    return rows.reshape(heads, -1, 2, C).swapaxes(1, 2).reshape(rows.shape)


def test_qwen2_turns_halves_and_has_biases(tmp_path: Path) -> None:
    model = llama(tied=True)
    tensors = tensors_in_gguf(model)
    del tensors["output.weight"]
    for layer in range(2):
        for part, heads in (("q", H), ("k", KV)):
            name = f"blk.{layer}.attn_{part}"
            tensors[f"{name}.weight"] = halves(tensors[f"{name}.weight"], heads)
            tensors[f"{name}.bias"] = np.zeros(len(tensors[f"{name}.weight"]), np.float32)
        tensors[f"blk.{layer}.attn_v.bias"] = np.zeros(C // H * KV, np.float32)
    path = write(tmp_path / "one.gguf", tensors, architecture="qwen2")
    assert difference(path, model) < 1e-5
    settings = inspect_checkpoint(path).settings
    assert (settings.tied_head, settings.qkv_bias, settings.bias) == (True, True, False)


def test_slowed_and_partial_rotary_positions_are_read(tmp_path: Path) -> None:
    tensors = tensors_in_gguf(llama())
    path = write(tmp_path / "one.gguf", tensors, rope__dimension_count=8, rope__scaling__type="linear")
    assert inspect_checkpoint(path).settings.rotary_width == 8
    slowed = tensors | {"rope_freqs.weight": np.array([1, 1.5, 2, 2, 4, 4, 8, 8], np.float32)}
    settings = inspect_checkpoint(write(tmp_path / "two.gguf", slowed)).settings
    assert settings.rotary_factors == (1, 1.5, 2, 2, 4, 4, 8, 8)


def test_its_tokenizer_is_read(tmp_path: Path) -> None:
    tokenizer = inspect_checkpoint(write(tmp_path / "one.gguf", tensors_in_gguf(llama()))).tokenizer
    ids = tokenizer.encode("ab caB")
    assert b"".join(map(tokenizer.bytes_of, ids)) == b" ab caB"
    assert ids == [1, 12, 3, 6, 4, 14]
    assert tokenizer.end_of_text == 2


@pytest.mark.parametrize(
    ("before", "pieces"),
    [
        ("gpt-2", ["ab", " ", "123", "4"]),
        ("qwen2", ["<b>", "ab", " ", "1", "2", "3", "4"]),
        ("llama-bpe", ["<b>", "ab", " ", "123", "4"]),
        ("smollm", ["<b>", "ab", " ", "1", "2", "3", "4"]),
    ],
)
def test_byte_pairs_are_joined_as_the_file_says(before: str, pieces: list[str]) -> None:
    tokens = ["<b>", "<e>", "a", "b", "1", "2", "3", "4", "Ġ", "ab", "12", "123"]
    told = {"model": "gpt2", "pre": before, "tokens": tokens, "token_type": [3, 3, *[1] * 10],
            "merges": ["a b", "1 2", "12 3"], "bos_token_id": 0, "eos_token_id": 1, "add_bos_token": True}  # fmt: skip
    tokenizer = stored_tokenizer({f"tokenizer.ggml.{name}": value for name, value in told.items()}, "one")
    assert tokenizer is not None
    assert [tokens[id].replace("Ġ", " ") for id in tokenizer.encode("ab 1234")] == pieces
    assert tokenizer.end_of_text == (None if before == "gpt-2" else 1)


@pytest.mark.parametrize(
    ("architecture", "more", "said"),
    [
        ("mamba", {}, "architecture 'mamba'"),
        ("llama", {"expert_count": 4}, "expert_count = 4"),
        ("llama", {"rope__scaling__type": "yarn"}, "rope.scaling.type = yarn"),
        ("llama", {"attention__value_length": 8}, "attention.value_length = 8"),
    ],
)
def test_what_is_not_built_is_named(architecture: str, more: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "one.gguf", tensors_in_gguf(llama()), architecture=architecture, **more)
    with pytest.raises(CheckpointError, match=said):
        inspect_checkpoint(path)


@pytest.mark.parametrize("kind", BLOCKS)
def test_blocks_are_read_as_the_package_reads_them(kind: str) -> None:
    block = BLOCKS[kind]
    content = np.random.default_rng(0).integers(256, size=(7, block.size), dtype=np.uint8)
    scale = slice(-2, None) if kind == "Q6_K" else slice(0, 2)
    content[:, scale] = np.frombuffer(struct.pack("<e", 0.37), np.uint8)
    theirs = gguf.quants.dequantize(content, gguf.GGMLQuantizationType[kind])
    np.testing.assert_array_equal(dequantised(kind, bytearray(content)), theirs.reshape(-1))


def header(*parts: bytes, tensors: int = 0, entries: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, entries) + b"".join(parts)


def text(content: str) -> bytes:
    return struct.pack("<Q", len(content)) + content.encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GGUF" + struct.pack("<I", 1), "version 1"),
        (header(tensors=1 << 60), "would have 1,152,921,504,606,846,976 tensors"),
        (header(struct.pack("<Q", 1 << 19), entries=1), "does not end"),
        (header(struct.pack("<Q", 1 << 40), entries=1), "a text of 1,099,511,627,776 bytes"),
        (header(text("a"), struct.pack("<IIQ", 9, 4, 1 << 20), entries=1), "does not end"),
        (header(text("a"), struct.pack("<IIQ", 9, 8, 1 << 40), entries=1), "a list of"),
        (header(text("a"), struct.pack("<IIQ", 9, 9, 1), entries=1), "values of the kind 9"),
        (header(*[text("a") + struct.pack("<IB", 0, 1)] * 2, entries=2), "has a twice"),
        (header(text("w"), struct.pack("<IQQIQ", 2, 1 << 31, 1 << 31, 0, 0), tensors=1), "larger than what the file"),
        (header(text("w"), struct.pack("<IQIQ", 1, 33, 8, 0), tensors=1), "no whole blocks of Q8_0"),
        (header(text("w"), struct.pack("<IQIQ", 1, 256, 12, 0), tensors=1), "made of Q4_K"),
    ],
)
def test_a_header_that_cannot_be(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "one.gguf").write_bytes(content + b"\0" * 64)
    with pytest.raises(CheckpointError, match=said):
        inspect_checkpoint(tmp_path / "one.gguf")
