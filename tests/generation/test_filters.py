"""Each filter keeps exactly what it promises to keep."""

from __future__ import annotations

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinygpt_tui.generation import filters
from tinygpt_tui.generation.filters import Logits, Weights

# Few different values, so that ties are common.
some_logits = arrays(np.float64, st.integers(1, 30), elements=st.integers(-8, 8).map(float))
any_logits = arrays(np.float64, st.integers(1, 30), elements=st.floats(-60, 60, allow_subnormal=False))
logits = some_logits | any_logits
some_weights = arrays(np.float64, st.integers(1, 30), elements=st.integers(1, 9).map(float))
any_weights = arrays(np.float64, st.integers(1, 30), elements=st.floats(1e-9, 1))
weights = some_weights | any_weights
rows = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.integers(1, 9).map(float))


def falling(weights: Weights) -> Weights:
    return np.sort(weights)[..., ::-1]


def test_the_examples_of_the_docstrings() -> None:
    done = doctest.testmod(filters)
    assert done.attempted >= 7
    assert done.failed == 0


@given(logits, st.data())
def test_bar_takes_out_what_is_barred_and_nothing_else(logits: Logits, data: st.DataObject) -> None:
    barred = data.draw(arrays(np.bool_, len(logits)))
    found = filters.mask_out(logits, barred)
    assert (found[barred] == -np.inf).all()
    assert (found[~barred] == logits[~barred]).all()


@given(logits, st.floats(0.1, 10), st.data())
def test_repetition_penalty_makes_only_what_was_seen_less_likely(
    logits: Logits, penalty: float, data: st.DataObject
) -> None:
    seen = data.draw(arrays(np.bool_, len(logits)))
    found = filters.repetition_penalty(logits, np.flatnonzero(seen), penalty)
    assert (found[~seen] == logits[~seen]).all()
    assert ((found[seen] <= logits[seen]) if penalty >= 1 else (found[seen] >= logits[seen])).all()
    assert (np.sign(found) == np.sign(logits)).all()
    again = filters.repetition_penalty(found, np.flatnonzero(seen), 1 / penalty)
    np.testing.assert_allclose(again, logits, rtol=1e-12, atol=1e-300)


def test_a_penalty_close_to_zero_leads_not_to_infinity() -> None:
    found = filters.repetition_penalty(np.array([3e38, -3e38]), np.array([0, 1]), 5e-324)
    assert np.isfinite(found).all()


@given(weights, st.integers(1, 40))
def test_top_k_counts_to_k_or_all(weights: Weights, k: int) -> None:
    assert filters.top_k(falling(weights), k) == min(k, len(weights))


@given(weights, st.floats(0.01, 1.0))
def test_top_p_takes_the_fewest_that_reach_p(weights: Weights, p: float) -> None:
    ranked = falling(weights)
    count = filters.top_p(ranked, p)
    assert 1 <= count <= len(weights)
    share = ranked / ranked.sum()
    assert share[:count].sum() >= p - 1e-9
    assert p >= 1 or share[: count - 1].sum() < p + 1e-9


@given(weights, st.floats(0.01, 0.99), st.integers(1, 30))
def test_top_p_of_the_first_ones_with_the_whole_mass_is_the_same(weights: Weights, p: float, first: int) -> None:
    ranked = falling(weights)
    mass = float(np.add.accumulate(ranked)[-1])
    count, part = filters.top_p(ranked, p), filters.top_p(ranked[:first], p, mass)
    assert part == min(int(count), len(ranked[:first]) + 1)


@given(weights, st.floats(0, 1))
def test_min_p_measures_by_the_likeliest(weights: Weights, share: float) -> None:
    count = filters.min_p(falling(weights), share)
    assert count == (weights >= share * weights.max()).sum()
    assert count >= 1


@given(weights, st.integers(1, 30))
def test_keep_leaves_exactly_so_many_and_ties_go_to_the_lower_id(weights: Weights, count: int) -> None:
    count = min(count, len(weights))
    found = filters.keep_top(weights, falling(weights), count)
    by_rank = sorted(range(len(weights)), key=lambda id: (-weights[id], id))
    kept = sorted(by_rank[:count])
    assert np.flatnonzero(found).tolist() == kept
    assert (found[kept] == weights[kept]).all()


@given(rows, st.floats(0.01, 0.99), st.floats(0, 1))
def test_several_rows_are_each_treated_alone(rows: Weights, p: float, share: float) -> None:
    ranked = falling(rows)
    counts = filters.top_p(ranked, p)
    assert not isinstance(counts, int)
    assert counts.tolist() == [filters.top_p(row, p) for row in ranked]
    least = filters.min_p(ranked, share)
    assert not isinstance(least, int)
    assert least.tolist() == [filters.min_p(row, share) for row in ranked]
    kept = filters.keep_top(rows, ranked, counts)
    assert kept.tolist() == [
        filters.keep_top(row, order, int(count)).tolist()
        for row, order, count in zip(rows, ranked, counts, strict=True)
    ]
    assert filters.keep_top(rows, ranked, 1).tolist() == [
        filters.keep_top(row, order, 1).tolist() for row, order in zip(rows, ranked, strict=True)
    ]


@given(some_weights, st.floats(0.1, 0.9))
def test_no_filter_changes_what_it_is_given(weights: Weights, p: float) -> None:
    before, ranked = weights.copy(), falling(weights)
    ranked_before = ranked.copy()
    filters.mask_out(weights, np.ones(len(weights), dtype=np.bool_))
    filters.repetition_penalty(weights, np.arange(len(weights)), 2.0)
    filters.keep_top(weights, ranked, 1)
    filters.top_p(ranked, p)
    filters.min_p(ranked, p)
    assert np.array_equal(weights, before)
    assert np.array_equal(ranked, ranked_before)


CHOSEN = st.tuples(st.integers(1, 20), st.floats(0.05, 0.99), st.floats(0.01, 0.9)).map(
    lambda values: tuple(zip(filters.TOP_FILTERS.values(), values, strict=True))
)
SOME_OF_THEM = st.tuples(CHOSEN, st.sets(st.integers(0, 2))).map(
    lambda drawn: tuple(chosen for place, chosen in enumerate(drawn[0]) if place in drawn[1])
)


@given(weights, SOME_OF_THEM)
def test_each_filter_sees_what_the_one_before_it_left(weights: Weights, chosen: filters.Chosen) -> None:
    left = falling(weights)
    for filter, value in chosen:
        left = left[: filter.rule(left, value, None)]
    assert filters.count_top(falling(weights), chosen) == len(left)


@given(rows, SOME_OF_THEM)
def test_rows_are_counted_as_each_alone(rows: Weights, chosen: filters.Chosen) -> None:
    counts = np.broadcast_to(np.asarray(filters.count_top(falling(rows), chosen)), len(rows))
    assert counts.tolist() == [filters.count_top(row, chosen) for row in falling(rows)]


@given(weights, SOME_OF_THEM, st.integers(1, 30))
def test_the_first_ones_give_the_count_of_all_or_say_that_they_are_too_few(
    weights: Weights, chosen: filters.Chosen, first: int
) -> None:
    ranked = falling(weights)
    part = filters.count_top(ranked[:first], chosen, float(np.add.accumulate(ranked)[-1]))
    if part < len(ranked[:first]):
        assert part == filters.count_top(ranked, chosen)
