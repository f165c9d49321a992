"""The letters among the tokens of each kind of vocabulary."""

from __future__ import annotations

from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.documents import DocumentTokenizer
from tinygpt_tui.tokenizers.letters import letters_of


def test_a_capital_is_the_same_letter_and_a_mark_is_none() -> None:
    assert letters_of(CharTokenizer("\n 'ABabé9É")) == [0, 0, 1, 2, 3, 2, 3, 4, 0, 4]


def test_the_boundary_of_documents_is_no_letter() -> None:
    assert letters_of(DocumentTokenizer(CharTokenizer("a b"))) == [0, 1, 0, 2]


def test_bytes_of_longer_characters_are_letters() -> None:
    letters = letters_of(ByteTokenizer())
    assert letters[ord("a")] == letters[ord("A")] != letters[ord("b")]
    assert letters[ord(" ")] == letters[ord("1")] == 0
    assert len(set(letters[128:])) == 128


def test_longer_tokens_have_no_letters() -> None:
    assert not any(letters_of(BPETokenizer.trained_on("the cat sat on the mat", 260)))
