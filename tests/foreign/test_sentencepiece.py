"""A Llama's vocabulary: sentencepiece's file and llama2.c's own; the ids are those that sentencepiece gives."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from foreign_programs import Llama, made
from fuzz import KINDS

from tinygpt_tui import load
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.foreign.opening import Inspection, Overrides, inspect_checkpoint
from tinygpt_tui.foreign.readers.sentencepiece import read_tokenizer_bin, read_tokenizer_model
from tinygpt_tui.foreign.source import models_in
from tinygpt_tui.insight.explain import spans_of
from tinygpt_tui.tokenizers.pieces import PiecesTokenizer
from tinygpt_tui.tokenizers.stream import TextStream

# A piece's score is its place: the earlier piece is joined first.
PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)),
          " t", "he", " the", "er", "in", " a", " c", "at", " cat", "  ", *" acehinrt"]  # fmt: skip


def as_bin(pieces: list[str]) -> bytes:
    """Write llama2.c's tokenizer.bin, as its tokenizer.py does."""
    texts = [{1: "\n<s>\n", 2: "\n</s>\n"}.get(id, piece).encode() for id, piece in enumerate(pieces)]
    rows = [struct.pack("<fI", -float(id), len(text)) + text for id, text in enumerate(texts)]
    return struct.pack("<I", max(map(len, texts))) + b"".join(rows)


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def as_model(pieces: list[str], kind: int = 2, blank_before: int = 1, rules: bytes = b"") -> bytes:
    """Write sentencepiece's tokenizer.model: pieces with score and type, a trainer's settings, a normalizer's."""
    rows = []
    for id, piece in enumerate(pieces):
        what = (2, 3, 3)[id] if id < 3 else 6 if piece.startswith("<0x") else 1
        row = field(1, piece.replace(" ", "▁").encode()) + b"\x15" + struct.pack("<f", -float(id))
        rows.append(field(1, row + b"\x18" + bytes([what])))
    normalizer = field(1, b"identity") + field(2, rules) + b"\x18" + bytes([blank_before])
    return b"".join(rows) + field(2, b"\x18" + bytes([kind])) + field(3, normalizer)


@pytest.fixture(params=["tokenizer.bin", "tokenizer.model"])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> PiecesTokenizer:
    path = tmp_path / request.param
    path.write_bytes(as_bin(PIECES) if path.suffix == ".bin" else as_model(PIECES))
    return (read_tokenizer_bin if path.suffix == ".bin" else read_tokenizer_model)(path, len(PIECES))


def in_pieces(tokenizer: PiecesTokenizer, text: str) -> list[str]:
    return [PIECES[id] for id in tokenizer.encode(text)]


def test_the_best_piece_is_joined_first(tokenizer: PiecesTokenizer) -> None:
    assert in_pieces(tokenizer, "the cat") == ["<s>", " the", " cat"]
    assert in_pieces(tokenizer, "cathe in") == ["<s>", " cat", "he", " ", "in"]
    assert in_pieces(tokenizer, "a  the") == ["<s>", " a", " ", " the"]  # a blank of its own, and one before the word
    assert in_pieces(tokenizer, "") == ["<s>"]


def test_what_has_no_piece_is_written_in_bytes(tokenizer: PiecesTokenizer) -> None:
    assert in_pieces(tokenizer, "aé") == ["<s>", " a", "<0xC3>", "<0xA9>"]
    assert tokenizer.unknown_in("é\ud800日") == "\ud800"
    stream = TextStream(tokenizer)
    assert [stream.push(id) for id in tokenizer.encode("日")] == ["", " ", "", "", "日"]


def test_the_mark_of_the_beginning_also_ends(tokenizer: PiecesTokenizer) -> None:
    assert (tokenizer.end_of_text, tokenizer.bytes_of(1), tokenizer.bytes_of(2)) == (1, b"", b"")


def test_the_blank_before_a_text_is_none_of_the_texts(tokenizer: PiecesTokenizer) -> None:
    starts, ends = spans_of(tokenizer.encode("the cat"), "the cat", tokenizer)
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == [(0, 0), (0, 3), (3, 7)]


def program() -> torch.nn.Module:
    torch.manual_seed(0)
    return made(Llama(V=len(PIECES) + 3))


def llama(folder: Path, name: str, content: bytes) -> Inspection:
    model = program()
    torch.save({"model": model.state_dict(), "model_args": model.arguments}, folder / "ckpt.pt")
    if name:
        (folder / name).write_bytes(content)
    return inspect_checkpoint(folder)


@pytest.mark.parametrize("name", ["tokenizer.bin", "tokenizer.model", f"tok{len(PIECES) + 3}.bin"])
def test_beside_a_checkpoint_it_is_found_and_written_with(name: str, tmp_path: Path) -> None:
    inspection = llama(tmp_path, name, as_bin(PIECES) if name.endswith("bin") else as_model(PIECES))
    fact = next(fact for fact in inspection.facts if fact.name == "vocabulary")
    assert (fact.source, fact.detail) == ("sidecar", name)
    assert inspection.tokenizer.encode("the") == [1, PIECES.index(" the")]
    with torch.no_grad():
        wanted = program()(torch.tensor([[1, PIECES.index(" the")]]))[0]
    torch.testing.assert_close(load(tmp_path).logits("the"), wanted, rtol=1e-4, atol=1e-4)


def test_a_vocabulary_is_no_checkpoint(tmp_path: Path) -> None:
    model = made(Llama())
    torch.save({"model": model.state_dict(), "model_args": model.arguments}, tmp_path / "stories.pt")
    (tmp_path / "tokenizer.bin").write_bytes(as_bin(PIECES))
    (tmp_path / "tok512.bin").write_bytes(as_bin(PIECES))
    assert [path.name for path in models_in(tmp_path)] == ["stories.pt"]
    inspection = inspect_checkpoint(tmp_path)
    assert "tokens, the model 40" in doubts(inspection.facts)  # it is the one file that can be meant


def test_without_one_the_way_out_is_said(tmp_path: Path) -> None:
    inspection = llama(tmp_path, "", b"")
    fact = next(fact for fact in inspection.facts if fact.name == "vocabulary")
    assert "put its tokenizer.model or tokenizer.bin beside it" in fact.detail
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.model").write_bytes(as_model(PIECES))
    told = inspect_checkpoint(tmp_path, Overrides(vocabulary=elsewhere / "mine.model"))
    assert told.tokenizer.encode("cat") == [1, PIECES.index(" cat")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("tokenizer.bin", b"", "not of llama2.c's form"),
        ("tokenizer.bin", as_bin(PIECES)[:-3], "ends inside a piece"),
        ("tokenizer.bin", struct.pack("<ifi", 9, 0.0, 1 << 30), "1,073,741,824 bytes long"),
        ("tokenizer.bin", struct.pack("<ifi", 9, float("nan"), 0) * 3, "is damaged"),
        ("tokenizer.model", b"", "holds no pieces"),
        ("tokenizer.model", as_model(PIECES, kind=1), "another kind than BPE"),
        ("tokenizer.model", as_model(PIECES, rules=b"nfkc"), "rewrites texts"),
        ("tokenizer.model", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "no protocol buffer"),
        ("tokenizer.model", b"\x0a\x7f", "ends inside a field"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_says_why_and_what_to_do(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=said) as refused:
        llama(tmp_path, name, content)
    assert "--vocabulary" in refused.value.hint or "different" in refused.value.hint


def test_it_is_fuzzed() -> None:
    assert "pieces" in KINDS
