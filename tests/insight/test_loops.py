"""Where a text begins to repeat itself."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui.insight import loops
from tinygpt_tui.insight.loops import LEAST, Loop, find_loop


def test_examples_hold() -> None:
    done = doctest.testmod(loops)
    assert done.attempted
    assert not done.failed


@given(st.text("ab", max_size=12), st.text("abc", min_size=1, max_size=12), st.integers(0, 40))
def test_a_loop_is_a_loop_and_none_is_missed(before: str, period: str, times: int) -> None:
    text = before + period * times
    found = find_loop(text)
    if len(period) * (times - 1) >= max(LEAST, len(period)):
        assert found is not None
        assert found.period <= len(period)
        assert found.start <= len(before)
    if found is not None:
        repeated = text[found.start :]
        assert repeated == (repeated[: found.period] * len(repeated))[: len(repeated)]
        assert len(repeated) >= found.period + max(found.period, LEAST)
        assert found.start == 0 or text[found.start - 1] != text[found.start - 1 + found.period]


@pytest.mark.parametrize("length", [40, 30_000])
def test_a_long_loop_is_followed_to_its_start(length: int) -> None:
    assert find_loop("so be it: " + "la la lo " * length) == Loop(9, 9)  # the space before it is that of the loop
