"""What a model thought of a token, against the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from makers import ByteTokenizer
from numpy.typing import NDArray

from tinygpt_tui.generation.probabilities import probabilities_of
from tinygpt_tui.tokenizers.char import CharTokenizer

TOKENIZER = CharTokenizer("abcd")
LETTERS = CharTokenizer("".join(map(chr, range(97, 117))))


def test_an_example_by_hand() -> None:
    chance = probabilities_of(np.log(np.array([0.5, 0.125, 0.25, 0.125], dtype=np.float32)), 2, 3, TOKENIZER)
    assert chance.probability == pytest.approx(0.25)
    assert chance.rank == 2
    assert chance.entropy == pytest.approx(1.75 * math.log(2))
    assert [(one.id, one.text, round(one.probability, 6)) for one in chance.candidates] == [
        (0, "a", 0.5),
        (2, "c", 0.25),
        (1, "b", 0.125),
    ]


@given(arrays(np.float32, 20, elements=st.integers(-5, 5) | st.floats(-30, 30, width=32)), st.integers(0, 25))
def test_against_the_definitions(logits: NDArray[np.float32], candidates: int) -> None:
    exact = [math.exp(float(logit) - float(logits.max())) for logit in logits]
    shares = [weight / math.fsum(exact) for weight in exact]
    by_rank = sorted(range(20), key=lambda id: (-logits[id], id))
    for id in range(20):
        chance = probabilities_of(logits, id, candidates, LETTERS)
        assert chance.probability == pytest.approx(shares[id], rel=1e-9)
        assert chance.rank == by_rank.index(id) + 1
        assert chance.entropy == pytest.approx(-math.fsum(share * math.log(share) for share in shares), abs=1e-9)
        assert [one.id for one in chance.candidates] == by_rank[:candidates]
        assert [one.probability for one in chance.candidates] == pytest.approx(
            [shares[i] for i in by_rank[:candidates]]
        )


def test_what_cannot_come_has_no_part_in_it() -> None:
    logits = np.array([-np.inf, 0, 0, -np.inf], dtype=np.float32)
    chance = probabilities_of(logits, 0, 4, TOKENIZER)
    assert (chance.probability, chance.rank) == (0, 3)
    assert chance.entropy == pytest.approx(math.log(2))
    assert [one.id for one in chance.candidates] == [1, 2, 0, 3]


def test_ranks_are_those_of_the_logits_themselves() -> None:
    logits = np.array([0, 5, 1e-40, 0], dtype=np.float32)  # less 5, three of them are equal
    assert [probabilities_of(logits, id, 0, TOKENIZER).rank for id in range(4)] == [3, 1, 2, 4]
    assert [one.id for one in probabilities_of(logits, 0, 3, TOKENIZER).candidates] == [1, 2, 0]


def test_certainty_has_no_entropy() -> None:
    chance = probabilities_of(np.array([0, 1000, 0, 0], dtype=np.float32), 1, 1, TOKENIZER)
    assert (chance.probability, chance.rank, chance.entropy) == (1, 1, 0)


def test_half_a_character_is_shown_as_such() -> None:
    logits = np.zeros(256, dtype=np.float32)
    logits[0xC3] = 5
    assert probabilities_of(logits, 97, 1, ByteTokenizer()).candidates[0].text == "\ufffd"


def test_the_logits_stay_as_they_are() -> None:
    logits = np.array([1, 2, 3, 4], dtype=np.float32)
    probabilities_of(logits, 0, 2, TOKENIZER)
    assert logits.tolist() == [1, 2, 3, 4]
