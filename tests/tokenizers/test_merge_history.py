"""What each merge does to a text: the same as a tokenizer that has only the merges up to it."""

from __future__ import annotations

import numpy as np
import pytest

from tinygpt_tui.tokenizers.bpe import BPETokenizer, letters_of_bytes
from tinygpt_tui.tokenizers.cutting import cut, cut_words
from tinygpt_tui.tokenizers.merge_history import MergeHistory

TEXT = "Der Bär, the bear and the bare bear's 日本 fur 🙂 - größer als wär's!\n\n  The end\tof it.\r\n" * 30
OTHER = "Ще не – the größte 🙂🙂 bear, wärst 日本語\n"


@pytest.fixture(scope="module")
def trained() -> BPETokenizer:
    return BPETokenizer.trained_on(TEXT, 340)


def test_the_first_merges_are_a_smaller_tokenizer(trained: BPETokenizer) -> None:
    assert trained.first(44).to_dict() == BPETokenizer.trained_on(TEXT, 300).to_dict()
    assert trained.first(0).size == 256


def test_a_text_is_cut_as_by_a_tokenizer_of_so_many_merges(trained: BPETokenizer) -> None:
    history = MergeHistory(trained)
    for text in (TEXT[:90], OTHER, ""):
        seen = history.of_text(text)
        assert seen.text == text
        for merges in range(len(trained.merges) + 1):
            small = trained.first(merges)
            pieces = seen.pieces(merges)
            assert [piece[:2] for piece in pieces] == [piece[:2] for piece in cut(small, small.encode(text))]
            assert any(piece.is_new for piece in pieces) == (merges in seen.changes())
    assert cut_words(history.of_text("🙂ä").pieces(0)) == "🙂⁴│ä²"


def test_counts_are_those_of_a_tokenizer_of_so_many_merges(trained: BPETokenizer) -> None:
    counts = MergeHistory(trained).counts([np.array(trained.encode(TEXT))])
    for merges in range(len(trained.merges) + 1):
        small = trained.first(merges)
        ids = np.array(small.encode(TEXT))
        assert counts.tokens(merges) == len(ids)
        found = counts.of_tokens(merges)
        assert found[: small.size].tolist() == np.bincount(ids, minlength=small.size).tolist()
        assert not found[small.size :].any()
        if merges:
            saved = len(trained.first(merges - 1).encode(TEXT)) - len(ids)
            assert counts.joined[merges - 1] == saved


def test_a_merge_that_a_later_one_makes_possible_waits_for_it() -> None:
    """In files of others a piece may be made in two ways, the second of which comes after merges that use it."""
    bytes_ = [letter for _, letter in sorted(letters_of_bytes().items())]
    merges = [("a", "b"), ("ab", "c"), ("abc", "d"), ("b", "c"), ("x", "a"), ("a", "bc")]
    tokens = dict.fromkeys([*bytes_, *(left + right for left, right in merges)])
    tokenizer = BPETokenizer({token: id for id, token in enumerate(tokens)}, merges)
    history = MergeHistory(tokenizer)
    for text in ("abcd", "xabcd", "bcd", "xabc abcd"):
        for count in range(len(merges) + 1):
            small = tokenizer.first(count)
            seen = [piece[:2] for piece in history.of_text(text).pieces(count)]
            assert seen == [piece[:2] for piece in cut(small, small.encode(text))], (text, count)
