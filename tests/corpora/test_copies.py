"""What is copied from a long text is found exactly, at the borders of blocks too; so are words."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygpt_tui.corpora import copies as module
from tinygpt_tui.corpora import known_words as words_module
from tinygpt_tui.corpora.copies import Copies, Copy, copies
from tinygpt_tui.corpora.known_words import KnownWords, known_words

R = TypeVar("R")
TEXTS = st.text(alphabet="ab日", max_size=60)


def result(steps: Generator[float, None, R]) -> R:
    """Return what the steps return; each says a share that is done."""
    while True:
        try:
            assert 0 < next(steps) <= 1
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short passages count, and blocks are short."""
    monkeypatch.setattr(module, "SHORTEST", 3)
    monkeypatch.setattr(module, "BLOCK", 7)


@pytest.mark.usefixtures("small")
@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_all_that_is_copied_is_marked_and_the_longest_is_found(text: str, source: str) -> None:
    found = result(copies(text, source))
    parts = {(at, to) for at in range(len(text)) for to in range(at + 3, len(text) + 1) if text[at:to] in source}
    marked = {at for first, last in found.spans for at in range(first, last)}
    assert marked == {at for first, last in parts for at in range(first, last)}
    assert found.characters == len(marked)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(found.spans)), "joined where they touch"
    assert (found.longest is None) == (not parts)
    if found.longest is not None:
        start, end, place = found.longest
        assert end - start == max(last - first for first, last in parts)
        assert text[start:end] == source[place : place + end - start]


@pytest.mark.usefixtures("small")
def test_a_longer_copy_that_is_not_the_first_of_its_start_is_found_and_what_is_held_out_is_not() -> None:
    source = "to be. to be or. to be or not to be"
    assert result(copies("-to be or not-", source)) == Copies(((1, 13),), Copy(1, 13, 17))
    assert result(copies("-to be or not-", source, 17)) == Copies(((1, 9),), Copy(1, 9, 7))


def test_a_text_of_equal_letters_ends() -> None:
    assert result(copies("a" * 500, "a" * 5000)) == Copies(((0, 500),), Copy(0, 500, 0))


@pytest.mark.parametrize("block", [1, 5, 1 << 19])
def test_words_are_known_in_whatever_case_but_only_whole(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "BLOCK", block)
    text, source = "THE kin'g, the king. Émile king's xx the 99", "The king of the émile, king's men"
    assert result(known_words(text, source)) == KnownWords(8, 6, ("kin'g", "xx"))
    assert result(known_words(text, source, 8)) == KnownWords(8, 4, ("kin'g", "Émile", "king's", "xx"))
    assert result(known_words("", source)) == KnownWords(0, 0, ())
