"""Each filter keeps exactly what it promises to keep."""

from __future__ import annotations

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinygpt_tui.generation import filters

# Few different values, so that ties are common.
some_logits = arrays(np.float64, st.integers(1, 30), elements=st.integers(-8, 8).map(float))
any_logits = arrays(np.float64, st.integers(1, 30), elements=st.floats(-60, 60))


def test_the_examples_of_the_docstrings() -> None:
    done = doctest.testmod(filters)
    assert done.attempted >= 3
    assert done.failed == 0


@given(some_logits, st.integers(1, 40))
def test_top_k_keeps_exactly_k_and_ties_go_to_the_lower_id(logits: filters.Logits, k: int) -> None:
    found = filters.top_k(logits, k)
    kept = np.flatnonzero(np.isfinite(found))
    by_rank = sorted(range(len(logits)), key=lambda id: (-logits[id], id))
    assert kept.tolist() == sorted(by_rank[:k])
    assert (found[kept] == logits[kept]).all()


@given(some_logits)
def test_top_k_of_nothing_keeps_all(logits: filters.Logits) -> None:
    assert filters.top_k(logits, 0).tolist() == logits.tolist()


@given(any_logits | some_logits, st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_that_reach_p(logits: filters.Logits, p: float) -> None:
    found = filters.top_p(logits, p)
    kept = np.isfinite(found)
    chances = np.exp(logits - logits.max())
    chances /= chances.sum()
    assert kept.any()
    assert (found[kept] == logits[kept]).all()
    assert chances[kept].sum() >= p - 1e-9
    assert chances[kept].sum() - chances[kept].min() < p + 1e-9  # without the least likely one it would be too little
    if not kept.all():
        assert chances[kept].min() >= chances[~kept].max()


@given(some_logits, st.floats(0.01, 0.99), st.integers(1, 30))
def test_top_p_after_top_k_counts_what_is_left(logits: filters.Logits, p: float, k: int) -> None:
    narrowed = filters.top_k(logits, k)
    kept = np.isfinite(filters.top_p(narrowed, p))
    assert 1 <= kept.sum() <= k
    assert np.isfinite(narrowed[kept]).all()


@given(any_logits, st.floats(0.1, 10))
def test_temperature_divides(logits: filters.Logits, degrees: float) -> None:
    np.testing.assert_allclose(filters.temperature(logits, degrees) * degrees, logits, atol=1e-12)


@given(any_logits, st.integers(1, 5), st.floats(0.1, 0.9))
def test_no_filter_changes_what_it_is_given(logits: filters.Logits, k: int, p: float) -> None:
    before = logits.copy()
    filters.temperature(logits, 0.5)
    filters.top_k(logits, k)
    filters.top_p(logits, p)
    assert np.array_equal(logits, before)
