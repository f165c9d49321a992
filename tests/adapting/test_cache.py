"""The n-gram cache: a mixture that is normalised, learns what comes again, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui.adapting.cache import MOST, ORDERS, NgramCache

LOGITS = np.random.default_rng(1).normal(size=(1, 13)).astype(np.float32)


def read(cache: NgramCache, ids: list[int], logits: np.ndarray = LOGITS) -> list[float]:
    """Return what each id cost."""
    losses = []
    for place, id in enumerate(ids):
        losses.append(-float(cache.mix(logits, ids[:place])[id]))
        cache.learn(id)
    return losses


@given(st.lists(st.integers(0, 12), max_size=40), st.floats(0.1, 30))
def test_the_probabilities_sum_to_1(ids: list[int], sharpness: float) -> None:
    cache = NgramCache(13)
    read(cache, ids, LOGITS * np.float32(sharpness))
    assert abs(np.exp(cache.mix(LOGITS, ids)).sum() - 1) < 1e-12


def test_without_a_text_it_is_the_net() -> None:
    mixed = NgramCache(13).mix(LOGITS, [])
    assert mixed == pytest.approx(LOGITS[0] - np.log(np.exp(LOGITS.astype(np.float64)).sum()), abs=1e-6)


def test_what_comes_again_becomes_likely() -> None:
    phrase = [3, 1, 4, 1, 5, 9, 2, 6]
    losses = read(NgramCache(13), phrase * 6)
    assert sum(losses[-8:]) < 0.3 * sum(losses[:8])


def test_a_prediction_does_not_know_what_comes() -> None:
    ids = np.random.default_rng(2).integers(0, 13, 60).tolist()
    other = [*ids[:-1], (ids[-1] + 1) % 13]
    one, two = NgramCache(13), NgramCache(13)
    assert read(one, ids)[:-1] == read(two, other)[:-1]
    assert one.mix(LOGITS, ids).tolist() != two.mix(LOGITS, other).tolist()


def test_a_prediction_alone_teaches_nothing() -> None:
    ids = [1, 2, 3, 1, 2, 3]
    once, often = NgramCache(13), NgramCache(13)
    for place in range(len(ids)):
        often.mix(LOGITS, ids[:place][::-1])
        often.mix(LOGITS, ids[:place])
        often.learn(ids[place])
    read(once, ids)
    assert often.mix(LOGITS, ids).tolist() == once.mix(LOGITS, ids).tolist()


def test_it_forgets_the_oldest_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.adapting.cache.MOST", 20)
    cache = NgramCache(13)
    read(cache, np.random.default_rng(2).integers(0, 13, 300).tolist())
    assert MOST > 20
    assert all(len(table) <= 20 for table in cache.tables)
    assert len(cache.tables) == len(ORDERS)


def test_of_two_nets_the_better_one_comes_to_count_more() -> None:
    ids = np.random.default_rng(4).integers(0, 13, 400).tolist()
    both, worse = NgramCache(13, nets=2), NgramCache(13)
    losses = []
    for place, id in enumerate(ids):
        right = 3 * np.eye(13, dtype=np.float32)[id if place % 4 else 0]  # right three times of four
        losses.append(-float(both.mix(np.stack([right, LOGITS[0]]), ids[:place])[id]))
        both.learn(id)
    assert sum(losses[-100:]) < 0.8 * sum(losses[:100])
    assert sum(losses[-100:]) < 0.5 * sum(read(worse, ids)[-100:])


LETTERS = [0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]  # token 0 parts words; 7 to 12 are the capitals of 1 to 6


def test_a_word_is_known_again_after_other_words_and_in_capitals() -> None:
    random = np.random.default_rng(5)
    ids: list[int] = []
    for _ in range(40):
        ids += [0, *random.integers(1, 7, 4).tolist(), 0, int(random.choice([1, 7])), 2, 3, 4]
    plain, words = NgramCache(13), NgramCache(13, letters=LETTERS)
    assert sum(read(words, ids)) < 0.97 * sum(read(plain, ids))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([3, 0, 1, 2], [5, 0, 7, 8], (True, False, False)),  # the word alone
        ([4, 0, 3, 0, 0, 1, 2], [5, 0, 9, 0, 1, 2], (True, True, False)),  # and the one before it, however far apart
        ([4, 0, 3, 0, 1, 2], [10, 0, 9, 0, 0, 1, 8], (True, True, True)),
        ([4, 0, 3, 0], [4, 0, 3], (False, False, False)),  # a word that has not begun, and one that goes on
        ([1, 2], [0, 1, 2], (True, False, False)),
    ],
)
def test_contexts_of_words(one: list[int], other: list[int], same: tuple[bool, ...]) -> None:
    cache = NgramCache(13, letters=LETTERS)
    keys, others = (cache._keys_of(ids[::-1])[len(ORDERS) :] for ids in (one, other))
    assert tuple(a == b for a, b in zip(keys, others, strict=True)) == same
