"""Which words became more likely."""

from __future__ import annotations

import math

import pytest

from tinygpt_tui.adapting.learned import LearnedWords
from tinygpt_tui.events.generation import LearnedWord

BIT = math.log(2)


def learned(*parts: tuple[str, float]) -> tuple[LearnedWord, ...]:
    """Return the best words of a text whose parts cost so many bits a character."""
    words = LearnedWords()
    for text, bits in parts:
        for character in text:
            words.add(character, bits * BIT)
    return words.best()


def test_a_name_of_two_words_is_one() -> None:
    (found,) = learned(("Aunt Vera came. ", 3), ("Then ", 1), ("Aunt Vera left.", 0.5))
    assert (found.text, found.first, found.now) == ("Aunt Vera", pytest.approx(3), pytest.approx(0.5))


def test_the_first_time_is_compared_with_the_last() -> None:
    (found,) = learned(("meadow ", 5), ("meadow ", 4), ("meadow ", 1))
    assert (found.first, found.now) == (pytest.approx(5), pytest.approx(1))


@pytest.mark.parametrize(
    "parts",
    [
        [("meadow forest ", 5)],  # each once
        [("meadow ", 5), ("meadow ", 4.8)],  # little gained
        [("meadow ", 1), ("meadow ", 5)],
        [("oak ", 5), ("oak ", 1)],  # short
        [("meadow ", 5), ("meadow", 1)],  # not ended yet
    ],
)
def test_what_was_not_learned_is_left_out(parts: list[tuple[str, float]]) -> None:
    assert learned(*parts) == ()


def test_the_greatest_gain_is_first() -> None:
    found = learned(("meadow fields cottage ", 5), ("meadow ", 1), ("fields ", 3), ("cottage ", 1))
    assert [word.text for word in found] == ["cottage", "meadow", "fields"]


def test_a_token_of_several_characters_counts_for_each() -> None:
    words = LearnedWords()
    for bits in (12.0, 3.0):
        words.add("mea", bits * BIT)
        words.add("dow ", 4 * BIT)
    assert words.best() == (LearnedWord("meadow", pytest.approx(15 / 6), pytest.approx(1.0)),)
