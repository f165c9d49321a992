"""Byte pairs that are trained on a text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tinygpt_tui.tokenizers.bpe import PIECE, BPETokenizer, pieces_of
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.table import tokenizer_from

TEXT = "Der Bär, the bear and the bare bear's 日本 fur 🙂 - rare!\n\n  The end\tof it.\r\n" * 30


@pytest.mark.parametrize("size", [256, 300, 400])
def test_frequent_neighbours_become_a_token_and_any_text_comes_back(size: int) -> None:
    tokenizer = BPETokenizer.trained_on(TEXT, size)
    assert tokenizer.size == min(size, 256 + len(tokenizer.to_dict()["merges"]))
    for text in (TEXT, "ще не — never seen: \U0001f98a", ""):
        ids = tokenizer.encode(text)
        assert b"".join(map(tokenizer.bytes_of, ids)).decode() == text
    longest = max(len(tokenizer.bytes_of(id)) for id in range(tokenizer.size))
    assert longest == 1 if size == 256 else longest > 3
    assert tokenizer_from(tokenizer.to_dict()).encode(TEXT) == tokenizer.encode(TEXT)


def test_a_uniform_text_gives_fewer_tokens_and_half_a_character_none() -> None:
    tokenizer = BPETokenizer.trained_on("ab ab \ud83d ab", 60_000)
    assert 256 < tokenizer.size < 270
    assert tokenizer.encode("ab\ud83d") == tokenizer.encode("ab")


@pytest.mark.parametrize("tokenizer", [BPETokenizer.trained_on(TEXT, 320), ByteTokenizer()], ids=["bpe", "byte"])
def test_a_long_text_is_encoded_in_pieces_with_the_ids_of_the_whole(tokenizer: BPETokenizer | ByteTokenizer) -> None:
    text = TEXT * (2 * PIECE // len(TEXT) + 1)
    for length in (len(text), PIECE // 3):  # the text itself comes in pieces, too
        ids = np.concatenate(list(tokenizer.encoding(text[at : at + length] for at in range(0, len(text), length))))
        assert ids.dtype == (np.uint16 if tokenizer.size > 256 else np.uint8)
        assert ids.tolist() == tokenizer.encode(text)
    assert list(tokenizer.encoding([])) == []


@pytest.mark.parametrize("text", [TEXT, "x" * 500, " " * 500, "日本語" * 100, "a \n\n b"])
def test_pieces_are_the_whole_text_cut_in_front_of_white_space(text: str) -> None:
    pieces = list(pieces_of([text], 50))
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 50
    if text == TEXT:
        assert all(piece[0].isspace() and not before[-1].isspace() for before, piece in pairwise(pieces))
