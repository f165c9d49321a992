"""One character, one id."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import ByteTokenizer

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.tokenizers import ids as arrays
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.stream import TextStream
from tinygpt_tui.tokenizers.table import tokenizer_from

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def test_ids_follow_the_sorted_characters() -> None:
    tokenizer = CharTokenizer.of("banana\n")
    assert (tokenizer.characters, tokenizer.size) == ("\nabn", 4)
    assert tokenizer.encode("nab\n") == [3, 1, 2, 0]


def test_tiny_shakespeare_has_nanogpts_ids(shakespeare: Any) -> None:
    tokenizer = CharTokenizer.of(shakespeare.read_text(encoding="utf-8"))
    assert tokenizer.size == 65
    assert tokenizer.encode("ROMEO:\n") == [30, 27, 25, 17, 27, 10, 0]


@given(texts.filter(bool), texts)
def test_an_array_has_the_same_ids(known: str, text: str) -> None:
    tokenizer = CharTokenizer.of(known)
    parts = list(tokenizer.encoding((text, known)))
    assert all(ids.dtype.itemsize <= 2 for ids in parts)  # as small as so few ids permit
    assert [int(id) for ids in parts for id in ids] == tokenizer.encode(text + known)


@given(texts.filter(bool))
def test_what_it_was_made_from_comes_back(text: str) -> None:
    tokenizer = CharTokenizer.of(text)
    assert b"".join(tokenizer.bytes_of(id) for id in tokenizer.encode(text)).decode("utf-8") == text
    assert tokenizer.unknown_in(text) == ""


def test_unknown_characters_are_named_once_in_order() -> None:
    tokenizer = CharTokenizer.of("abc")
    assert tokenizer.unknown_in("zaZbz\U0001f642c") == "zZ\U0001f642"
    assert tokenizer.encode("zaZbzc") == [0, 1, 2]


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"name": "bpe"},
        {"name": ["char"]},
        {"name": "char"},
        {"name": "char", "characters": ["a"]},
        {"name": "char", "characters": ""},
        {"name": "char", "characters": "aba"},
        {"name": "char", "characters": "\ud800"},
    ],
)
def test_a_damaged_vocabulary_is_refused_with_a_way_out(kept: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError) as caught:
        tokenizer_from(kept)
    assert caught.value.hint


def test_a_stream_waits_for_whole_characters() -> None:
    stream = TextStream(ByteTokenizer())
    assert [stream.push(byte) for byte in "aé🙂b".encode()] == ["a", "", "é", "", "", "", "🙂", "b"]
    assert stream.finish() == ""


def test_a_stream_shows_broken_characters_as_such() -> None:
    stream = TextStream(ByteTokenizer())
    assert [stream.push(byte) for byte in b"\xc3a\xff"] == ["", "\ufffda", "\ufffd"]
    stream.push(0xE6)
    assert stream.finish() == "\ufffd"


@given(st.lists(st.integers(0, 255), max_size=30))
def test_a_stream_shows_what_the_whole_would_show(ids: list[int]) -> None:
    stream = TextStream(ByteTokenizer())
    assert "".join(stream.push(id) for id in ids) + stream.finish() == bytes(ids).decode("utf-8", errors="replace")


@pytest.mark.parametrize(("size", "width"), [(2, 1), (256, 1), (257, 2), (70_000, 4)])
def test_ids_take_as_few_bytes_as_they_can(size: int, width: int) -> None:
    characters = "".join(chr(code) for code in range(0x10000, 0x10000 + size))
    (ids,) = CharTokenizer(characters).encoding([characters[::-1]])
    assert ids.dtype.itemsize == width
    assert ids.tolist() == list(range(size))[::-1]


def test_a_long_text_is_counted_and_encoded_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "CHARACTERS_AT_ONCE", 7)
    text = "the cat\u00e9 sat on the \U0001f642 mat\n" * 5
    assert arrays.counts_of(text) == Counter(text)
    parts = list(CharTokenizer.of(text).encoding([text + "Q"]))
    assert len(parts) > 10
    assert [int(id) for ids in parts for id in ids] == CharTokenizer.of(text).encode(text)
