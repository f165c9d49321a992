"""Banned characters are never written, and only allowed ones are, however a tokenizer cuts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import ByteTokenizer

from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer

LETTERS = CharTokenizer("\nabcé")


class PieceTokenizer(ByteTokenizer):
    """Tokens of several characters, and one that says that a text ends."""

    pieces = (b"a", b"ab", b"b\xc3", b"\xa9", b"<end>", b"\xe6\x97", b"\xa5")
    size, end_of_text = len(pieces), 4

    def bytes_of(self, id: int) -> bytes:
        return self.pieces[id]


def may_come(barring: TokenMask, waiting: bytes = b"") -> list[int]:
    return [id for id, barred in enumerate(barring.mask(waiting)) if not barred]


@pytest.mark.parametrize(
    ("banned", "allowed", "left"),
    [("a", "", "\nbcé"), ("", "ab", "ab"), ("a", "ab", "b"), ("\né", "", "abc"), ("x", "", "\nabcé"), ("", "éx", "é")],
)
def test_of_characters(banned: str, allowed: str, left: str) -> None:
    assert "".join(LETTERS.characters[id] for id in may_come(TokenMask(LETTERS, banned, allowed))) == left


def test_a_token_of_several_characters_is_out_with_any_of_them() -> None:
    barring = TokenMask(PieceTokenizer(), banned="b", allowed="")
    assert may_come(barring) == [0, 3, 4, 5, 6]
    assert may_come(TokenMask(PieceTokenizer(), banned="", allowed="abé")) == [0, 1, 2]


def test_half_a_character_is_judged_by_what_it_can_become() -> None:
    barring = TokenMask(PieceTokenizer(), banned="é", allowed="")
    waiting = barring.after(b"", 2)
    assert waiting == b"\xc3"
    assert 3 not in may_come(barring, waiting)
    only = TokenMask(PieceTokenizer(), banned="", allowed="b日é")
    assert may_come(only) == [2, 5]
    assert may_come(only, b"\xc3") == [3]
    assert may_come(only, b"\xe6\x97") == [6]
    assert only.after(b"\xc3", 3) == b""


def test_the_end_of_a_text_writes_nothing_and_may_come_where_it_ends_the_text() -> None:
    ending = SamplingSettings(allowed="a")
    found = TokenMask.of(ending, PieceTokenizer())
    assert found is not None
    assert may_come(found) == [0, 4]
    shown = TokenMask.of(SamplingSettings(allowed="a", stop_at_end_of_text=False), PieceTokenizer())
    assert shown is not None
    assert may_come(shown) == [0]


def test_nothing_is_barred_where_nothing_was_asked() -> None:
    assert TokenMask.of(SamplingSettings(), LETTERS) is None


@pytest.mark.parametrize(("banned", "allowed"), [("\nabcé", ""), ("", "xyz"), ("a", "a")])
def test_nothing_left_to_write_is_refused_with_what_the_model_knows(banned: str, allowed: str) -> None:
    with pytest.raises(UsageError, match="can write nothing") as caught:
        TokenMask(LETTERS, banned, allowed)
    assert "abcé" in caught.value.hint


def test_an_end_alone_is_nothing_to_write() -> None:
    with pytest.raises(UsageError, match="can write nothing"):
        TokenMask(PieceTokenizer(), "", "x", end_of_text=4)


@given(st.text("aéü日", min_size=1, max_size=3), st.lists(st.integers(0, 255), max_size=12))
def test_whatever_bytes_may_come_make_only_allowed_characters(allowed: str, wishes: list[int]) -> None:
    """Each wish is a place among the bytes that may come."""
    barring = TokenMask(ByteTokenizer(), "", allowed)
    written, waiting = b"", b""
    for wish in wishes:
        left = may_come(barring, waiting)
        assert left  # there is always a way to finish a character
        id = left[wish % len(left)]
        written += bytes([id])
        waiting = barring.after(waiting, id)
    text = written[: len(written) - len(waiting)].decode("utf-8")
    assert set(text) <= set(allowed)
