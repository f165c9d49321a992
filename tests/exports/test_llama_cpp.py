"""llama.cpp opens what is exported for it, and writes the same text."""

from __future__ import annotations

import re
from pathlib import Path

import llama_cpp
import msgspec
import numpy as np
import pytest
from makers import make_model, tiny_gpt

from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.stored import StoredModel, read_model
from tinygpt_tui.checkpoints.vocabulary import write_tokenizer
from tinygpt_tui.exports.export import export
from tinygpt_tui.exports.forms import FORMS
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.padded import PaddedTokenizer
from tinygpt_tui.tokenizers.pieces import PiecesTokenizer

pytest.importorskip("gguf", reason="gguf is not installed")

COUNT, PROMPT = 200, "a cab"
ROOM = COUNT + len(PROMPT)
LLAMA = {"positions": "rotary", "norm": "rmsnorm", "activation": "swiglu", "block_size": ROOM, "n_embd": 32}
NETS = {
    "gpt2": tiny_gpt(activation="gelu_tanh", bias=True, qkv_bias=True, tied_head=False, block_size=ROOM),
    "gpt2, odd": tiny_gpt(
        activation="gelu_tanh", norm_weight=False, attention_scale="n_embd", hidden=24, epsilon=1e-3, block_size=ROOM
    ),
    "llama": tiny_gpt(**LLAMA),
    "llama, odd": tiny_gpt(
        **LLAMA, n_head=4, n_kv_head=2, hidden=48, head_width=12, tied_head=False, epsilon=1e-4, bias=True,
        rotary_base=500.0, rotary_factors=(1.0, 1.0, 2.0, 3.0, 4.0, 4.0), norm_weight=False,
        attention_scale="n_embd",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only a power cut would show."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


def assert_same(written: llama_cpp.Written, model: StoredModel, near: float, share: float = 1.0) -> None:
    """Read the ids as they were written: at each place the most likely one, with the probabilities that they say."""
    begun = model.tokenizer.encode(PROMPT)
    ids = [*begun, *written.ids]
    logits = forward_of(model.config.architecture, model.weights, "ours")(np.array([ids]))[0][len(begun) - 1 :]
    ours = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    best = ours.argmax(axis=-1)
    assert len(written.ids) == COUNT or written.ids[-1] == model.tokenizer.end_of_text
    theirs = np.array([[place[id] for id in range(ours.shape[1])] for place in written.log_probabilities])
    assert float(np.abs(theirs - ours[:-1]).max()) < near
    assert float(np.mean(best[:-1] == written.ids)) >= share
    said = b"".join(model.tokenizer.bytes_of(id) for id in written.ids if id != model.tokenizer.end_of_text)
    text = re.sub(r"\[PAD\d+\]", "", written.text)
    assert said.decode("utf-8", "replace").strip("\ufffd") == text.strip("\ufffd")


@pytest.mark.parametrize("settings", NETS.values(), ids=NETS.keys())
def test_the_same_text_comes_out(settings: GPTSettings, tmp_path: Path) -> None:
    make_model(tmp_path / "letters", settings)
    done = export(tmp_path / "letters", FORMS["gguf"], tmp_path / "one.gguf")
    assert done.checked is not None
    assert done.checked.share < 1e-5
    near = 1e-3 if settings.activation == "swiglu" else 1e-2  # ggml looks GELU up in a table of half precision
    assert_same(llama_cpp.greedy(tmp_path / "one.gguf", PROMPT, COUNT), read_model(tmp_path / "letters"), near)


TOKENIZERS: dict[str, Tokenizer] = {
    "any characters": CharTokenizer("\n\\'\"éx\x00\t ab😀c"),
    "padded": PaddedTokenizer(CharTokenizer(" abc"), 32),
    "byte pairs": BPETokenizer(
        {token: id for id, token in enumerate(["<|endoftext|>", "a", "b", "c", "Ġ", "ab", "Ġc", "Ġcab"])},
        [("a", "b"), ("Ġ", "c"), ("Ġc", "ab")],
    ),
    "pieces": PiecesTokenizer(
        [
            "<unk>",
            "<s>",
            "</s>",
            " ",
            "a",
            "b",
            "c",
            "ab",
            " c",
            " cab",
            *(f"<0x{byte:02X}>" for byte in range(97, 119)),
        ],
        [0.0, 0.0, 0.0, *range(-1, -8, -1), *[0.0] * 22],
        (0, 1, 2),
        1,
    ),
}


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS.keys())
def test_every_tokenizer_goes_along(tokenizer: Tokenizer, tmp_path: Path) -> None:
    make_model(tmp_path / "letters", msgspec.structs.replace(NETS["llama"], vocab_size=tokenizer.size), seed=2)
    write_tokenizer(tmp_path / "letters", tokenizer)
    export(tmp_path / "letters", FORMS["gguf"], tmp_path / "one.gguf")
    again = read_model(tmp_path / "one.gguf")
    assert again.tokenizer.encode("cab ab") == tokenizer.encode("cab ab")
    assert again.tokenizer.end_of_text == tokenizer.end_of_text
    assert_same(llama_cpp.greedy(tmp_path / "one.gguf", PROMPT, COUNT), read_model(tmp_path / "letters"), near=1e-3)


@pytest.mark.parametrize("characters", ["", "日é"])
def test_bytes_go_along(characters: str, tmp_path: Path) -> None:
    tokenizer, prompt = ByteTokenizer(characters), f"{PROMPT}日本é"
    make_model(tmp_path / "letters", msgspec.structs.replace(NETS["llama"], vocab_size=tokenizer.size))
    write_tokenizer(tmp_path / "letters", tokenizer)
    export(tmp_path / "letters", FORMS["gguf"], tmp_path / "one.gguf")
    again = read_model(tmp_path / "one.gguf").tokenizer
    assert isinstance(again, ByteTokenizer)
    assert again.characters == characters
    (first,) = llama_cpp.greedy(tmp_path / "one.gguf", prompt, 1).ids
    model = read_model(tmp_path / "letters")
    logits = forward_of(model.config.architecture, model.weights, "ours")(np.array([tokenizer.encode(prompt)]))
    assert first == logits[0, -1].argmax()


@pytest.mark.parametrize(("form", "near"), [("gguf-f16", 0.02), ("gguf-q8_0", 0.2)])
def test_rounded_ones_come_near(form: str, near: float, tmp_path: Path) -> None:
    make_model(tmp_path / "letters", NETS["llama"])
    done = export(tmp_path / "letters", FORMS[form], tmp_path / "one.gguf")
    assert done.checked is not None
    assert 0 < done.checked.share < near
    written = llama_cpp.greedy(tmp_path / "one.gguf", PROMPT, COUNT)
    assert_same(written, read_model(tmp_path / "one.gguf"), near=near, share=0.95)
