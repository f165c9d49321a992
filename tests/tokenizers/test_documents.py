"""The boundary between documents as a token of its own."""

from __future__ import annotations

import pytest

from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import PIECE, BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.documents import BOUNDARY, DocumentTokenizer
from tinygpt_tui.training.fine_tuning import for_text, text_for

DOCUMENTS = ["the cat", "naïve 日本", "", "the end " * 3]
TEXT = "".join(one + BOUNDARY for one in DOCUMENTS)
INNER: list[Tokenizer] = [CharTokenizer.of("".join(DOCUMENTS)), BPETokenizer.trained_on(TEXT, 270), ByteTokenizer()]


def encoded(tokenizer: DocumentTokenizer, text: str, length: int) -> list[int]:
    """Encode `text` in pieces of `length` characters."""
    pieces = (text[start : start + length] for start in range(0, len(text), length))
    return [int(id) for ids in tokenizer.encoding(pieces) for id in ids]


@pytest.mark.parametrize("inner", INNER, ids=lambda inner: inner.name)
def test_each_document_ends_with_it(inner: Tokenizer) -> None:
    tokenizer = DocumentTokenizer(inner)
    assert (
        encoded(tokenizer, TEXT, len(TEXT))
        == encoded(tokenizer, TEXT, 3)
        == [id for one in DOCUMENTS for id in (*tokenizer.encode(one)[1:], 0)]
    )
    assert tokenizer.encode("") == [tokenizer.end_of_text] == [0]
    assert tokenizer.size == inner.size + 1
    long = ("a cat " * (PIECE // 3))[: PIECE + 5]
    assert encoded(tokenizer, long, len(long)) == tokenizer.encode(long)[1:]


def test_a_vocabulary_of_characters_grows_and_old_ids_stay() -> None:
    tokenizer = DocumentTokenizer(CharTokenizer.of("cat"))
    grown = for_text(tokenizer, f"dog{BOUNDARY}cat")
    assert isinstance(grown, DocumentTokenizer)
    assert grown.encode("cat") == tokenizer.encode("cat")
    assert grown.unknown_in("dog") == ""
    assert for_text(tokenizer, f"tac{BOUNDARY}") is tokenizer


def test_a_model_without_the_token_reads_an_empty_line() -> None:
    found = CorpusText.of(f"a{BOUNDARY}b{BOUNDARY}", documents=2)
    plain = text_for(CharTokenizer.of("ab"), found)
    assert (plain.text, plain.documents, plain.counts["\n"]) == ("a\n\nb\n\n", 0, 4)
    assert text_for(DocumentTokenizer(CharTokenizer.of("ab")), found) is found
