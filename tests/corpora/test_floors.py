"""The yardsticks: the counts that are published, chances that sum to one, and texts of any kind."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from makers import split

from tinygpt_tui.corpora import floors
from tinygpt_tui.corpora.floors import KneserNey, count_grams, floors_of
from tinygpt_tui.corpora.read import read_text


def some_ids(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Tokens that follow each other with a preference, so that longer contexts help."""
    random = np.random.default_rng(seed)
    follows = random.integers(size, size=(size, 2))
    ids = [0]
    for draw in random.random(count - 1):
        ids.append(int(follows[ids[-1]][int(draw < 0.7)]) if draw < 0.9 else int(draw * 1e6) % size)
    return np.array(ids, dtype=np.int64)


def test_the_published_counts_of_tiny_shakespeare(shakespeare: Path) -> None:
    corpus = split(read_text(shakespeare).text, 128, 0.1)
    size = corpus.tokenizer.size
    found = {floor.name: floor.loss for floor in floors_of(corpus.train, corpus.validation, size)}
    assert list(found) == ["guessing", "unigram", "bigram", "trigram", "5-gram"]
    assert found["guessing"] == pytest.approx(4.174, abs=6e-4)
    assert found["unigram"] == pytest.approx(3.347, abs=6e-4)
    # Better smoothing is never worse than adding a little to each count, and most so where counts are thin.
    assert found["bigram"] < 2.488
    assert found["trigram"] < 2.066
    assert found["5-gram"] == pytest.approx(1.561, abs=1e-3)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one(order: int) -> None:
    size = 4
    train = some_ids(300, size)
    top = count_grams(train, 5, size)
    assert top is not None
    model = KneserNey(train, top, order, size)
    contexts = np.arange(size ** (order - 1))
    keys = (contexts[:, None] * size + np.arange(size)).ravel()
    chances = model.probabilities(keys).reshape(-1, size)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-12)
    assert (chances > 0).all()


def test_discounts_are_chen_and_goodmans() -> None:
    """Their equation 17: one discount each for counts of one, two, and three or more."""
    counts = np.repeat([1, 2, 3, 4, 9], [10, 6, 4, 3, 5])
    y = 10 / (10 + 2 * 6)
    wanted = [0.0, 1 - 2 * y * 6 / 10, 2 - 3 * y * 4 / 6, 3 - 4 * y * 3 / 4]
    np.testing.assert_allclose(floors._discounts(counts), wanted)
    assert sorted(set(wanted)) == wanted


def test_runs_counted_piece_by_piece_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = some_ids(1000, 5)
    whole = count_grams(ids, 3, 5)
    monkeypatch.setattr(floors, "TOKENS_AT_ONCE", 7)
    pieces = count_grams(ids, 3, 5)
    assert whole is not None
    assert pieces is not None
    np.testing.assert_array_equal(whole.keys, pieces.keys)
    np.testing.assert_array_equal(whole.counts, pieces.counts)
    assert whole.counts.sum() == 998


def test_shorter_runs_follow_from_longer_ones() -> None:
    ids = some_ids(200, 6)
    top, wanted = count_grams(ids, 5, 6), count_grams(ids, 2, 6)
    assert top is not None
    assert wanted is not None
    derived = floors._with_beginning(top, ids, 2, 6)
    np.testing.assert_array_equal(derived.keys, wanted.keys)
    np.testing.assert_array_equal(derived.counts, wanted.counts)


def test_a_large_vocabulary_leaves_long_runs_out() -> None:
    ids = np.tile([0, 1, 0, 2], 700) * 30_000  # the one before last says what comes; a run of four still fits
    found = [floor.name for floor in floors_of(ids[:2700], ids[2700:], 100_000)]
    assert found == ["guessing", "unigram", "bigram", "trigram"]  # and one of five does not


def test_too_many_different_runs_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors.count_grams, "__defaults__", (50,))
    ids = np.random.default_rng(0).integers(10, size=3000)
    assert [floor.name for floor in floors_of(ids[:2700], ids[2700:], 10)] == ["guessing", "unigram"]


@pytest.mark.parametrize(("count", "size"), [(2, 1), (2, 2), (3, 5), (10, 3), (40, 40)])
def test_the_shortest_texts(count: int, size: int) -> None:
    train, validation = np.arange(count) % size, np.arange(2) % size
    for floor in floors_of(train, validation, size):
        assert math.isfinite(floor.loss)
        assert floor.loss >= 0


def test_a_text_that_only_repeats_is_known_to_its_counts() -> None:
    ids = np.tile(np.arange(8), 200)
    found = {floor.name: floor.loss for floor in floors_of(ids[:1400], ids[1400:], 8)}
    assert found["unigram"] == pytest.approx(math.log(8), abs=0.01)
    assert found["bigram"] < 0.05
