"""Windows that follow one another: the whole text, in order, from seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui.corpora.streams import Streams


def test_each_row_goes_on_where_it_stopped() -> None:
    streams = Streams(np.arange(1000), block_size=8, batch_size=4, seed=3)
    for step in range(1, streams.windows_per_epoch):
        before, after = streams.batch(step - 1), streams.batch(step)
        assert (after[0][:, 0] == before[1][:, -1]).all()
        assert not streams.is_start(step)


def test_an_epoch_covers_nearly_all_of_the_text() -> None:
    streams = Streams(np.arange(1000), block_size=8, batch_size=4, seed=3)
    seen = {int(id) for step in range(streams.windows_per_epoch) for id in streams.batch(step)[0].flat}
    assert len(seen) > 0.95 * 1000


def test_a_new_epoch_begins_elsewhere() -> None:
    streams = Streams(np.arange(1000), block_size=8, batch_size=4, seed=3)
    starts = [int(streams.batch(epoch * streams.windows_per_epoch)[0][0, 0]) for epoch in range(6)]
    assert len(set(starts)) > 1
    assert all(streams.is_start(epoch * streams.windows_per_epoch) for epoch in range(6))


@given(
    length=st.integers(2, 400), block_size=st.integers(1, 30), batch_size=st.integers(1, 20), step=st.integers(0, 500)
)
def test_any_text_longer_than_a_window_will_do(length: int, block_size: int, batch_size: int, step: int) -> None:
    if length <= block_size:
        with pytest.raises(AssertionError):
            Streams(np.arange(length), block_size, batch_size, 0)
        return
    inputs, targets = Streams(np.arange(length), block_size, batch_size, 0).batch(step)
    assert inputs.shape == targets.shape == (batch_size, block_size)
    assert (targets == inputs + 1).all()
