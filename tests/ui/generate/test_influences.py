"""What characters did for a later one, in levels and in a sentence."""

from __future__ import annotations

import doctest

import pytest

from tinygpt_tui.events.generation import Attributed, Attribution
from tinygpt_tui.ui.generate import influences as module
from tinygpt_tui.ui.generate.influences import Fact, Influences, sentence

TEXT = "the king to e"
Q = Fact("q", 0.007, 4, "n", 0.52)


def influences(bits: dict[tuple[int, int], float], left: int = 0, offset: int = len(TEXT)) -> Influences:
    found = Influences(offset, len(TEXT))
    found.add([Attributed(1, 0.007, left, tuple(Attribution(*place, bits=bit) for place, bit in bits.items()))])
    return found


def test_examples_hold() -> None:
    done = doctest.testmod(module)
    assert done.attempted
    assert not done.failed


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        ({(9, 10): 2.0, (10, 11): 1.0, (11, 12): 0.6}, "it leaned on “to␣”; "),
        ({(9, 11): 2.0, (11, 12): 0.1, (12, 13): 0.7}, "it leaned on “to” and “e”; "),
        ({(11, 12): 0.5, (0, 3): 0.4}, "it leaned on “the” and the space; "),
        ({(11, 12): 0.5, (0, 1): 0.4}, "it leaned on “t” 13 back and the space; "),
        ({(12, 13): 9.0, (11, 12): 2.0}, "it leaned on “e”; "),
        ({(12, 13): 0.1}, "no single character before it made it much more likely; "),
        (
            {(11, 12): 1.0, (12, 13): -0.8, (2, 3): -0.9},
            "it leaned on the space; “e” made it less likely",
        ),
    ],
)
def test_the_sentence_names_what_mattered(bits: dict[tuple[int, int], float], said: str) -> None:
    whole = sentence(TEXT, Q, influences(bits))
    assert whole.startswith("After “␣king␣to␣e”, q had 0.70%; ")
    assert said in whole
    assert whole.endswith("the most likely was n, 52.0%.")


def test_while_it_computes_it_says_how_much_is_left() -> None:
    assert sentence(TEXT, Q, influences({}, left=8)).endswith("52.0%. … 8 to go")
    best = sentence(TEXT, Q._replace(rank=1), influences({}))
    assert best.endswith("it was the most likely.")
    assert sentence(TEXT, None, Influences()) == "…"


def test_a_character_in_several_tokens_has_the_level_of_the_strongest() -> None:
    found = influences({(0, 1): 0.3, (0, 2): 2.5, (1, 2): 0.0, (4, 5): -0.3})
    assert list(found.levels[:5]) == [3, 3, 0, 0, 4]
