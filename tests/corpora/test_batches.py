"""Which windows make which step follows from seed and step; every window once an epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinygpt_tui.corpora import batches
from tinygpt_tui.corpora.batches import MixedWindows, Windows


def starts(windows: Windows, steps: range) -> list[int]:
    """Where the windows of these steps begin, in ids that are their own places."""
    return [int(row[0]) for step in steps for row in windows.batch(step)[0]]


@pytest.fixture(params=[1 << 22, 0], ids=["listed", "computed"])
def listed(request: pytest.FixtureRequest) -> Iterator[None]:
    """The order is a list in memory; or it is computed, as for a large text."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batches, "MOST_LISTED", request.param)
        yield


@pytest.mark.usefixtures("listed")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it is the same for all examples
@given(st.integers(1, 12), st.integers(1, 100), st.integers(1, 7), st.integers(0, 1 << 62))
def test_each_epoch_has_every_window_once_and_none_beyond(block: int, more: int, batch: int, seed: int) -> None:
    ids = np.arange(block + more)
    windows = Windows(ids, block, batch, seed)
    count = windows.windows_per_epoch
    found = starts(windows, range(3 * count // batch + 2))
    for epoch in range(3):
        part = sorted(found[epoch * count : (epoch + 1) * count])
        assert np.diff(part).tolist() == [block] * (count - 1)  # side by side, none twice
        assert part[0] >= 0
        assert part[-1] + block < len(ids)  # the last target is inside
    assert count * block >= len(ids) - 2 * block  # and nearly all of the text is seen


def test_targets_are_one_further_on() -> None:
    ids = np.random.default_rng(0).integers(50, size=200)
    windows = Windows(ids, 8, 4, seed=1)
    places = Windows(np.arange(200), 8, 4, seed=1)
    for step in range(20):
        inputs, targets = windows.batch(step)
        assert inputs.shape == targets.shape == (4, 8)
        at = places.batch(step)[0]
        assert np.array_equal(inputs, ids[at])
        assert np.array_equal(targets, ids[at + 1])


@pytest.mark.usefixtures("listed")
def test_a_step_follows_from_seed_and_number_alone() -> None:
    ids = np.arange(500)
    one, other = Windows(ids, 8, 6, seed=3), Windows(ids, 8, 6, seed=3)
    forwards = [one.batch(step)[0].tolist() for step in range(40)]
    backwards = [other.batch(step)[0].tolist() for step in reversed(range(40))]
    assert forwards == backwards[::-1]
    assert forwards != [Windows(ids, 8, 6, seed=4).batch(step)[0].tolist() for step in range(40)]


@pytest.mark.usefixtures("listed")
def test_epochs_have_new_orders_and_phases() -> None:
    windows = Windows(np.arange(400), 8, 1, seed=0)
    count = windows.windows_per_epoch
    epochs = [starts(windows, range(i * count, (i + 1) * count)) for i in range(5)]
    assert len({tuple(epoch) for epoch in epochs}) == 5
    assert len({min(epoch) for epoch in epochs}) > 1


@pytest.mark.parametrize("length", [9, 10, 15, 16, 17, 18])
def test_the_shortest_texts_have_a_window(length: int) -> None:
    inputs, targets = Windows(np.arange(length), 8, 3, seed=0).batch(5)
    assert inputs.shape == (3, 8)
    assert targets.max() < length


def test_a_text_of_one_window_is_too_short() -> None:
    with pytest.raises(AssertionError):
        Windows(np.arange(8), 8, 1, seed=0)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_a_share_of_the_windows_is_of_the_old_text_and_each_text_is_read_in_its_own_order(share: float) -> None:
    new, old = Windows(np.arange(400), 8, 5, seed=1), Windows(np.arange(1000, 1400), 8, 5, seed=1)
    mixed = MixedWindows(new, old, 5, share)
    batches = [mixed.batch(step) for step in range(40)]
    assert all(inputs.shape == targets.shape == (5, 8) for inputs, targets in batches)
    assert all(np.array_equal(targets, inputs + 1) for inputs, targets in batches)
    first = np.concatenate([inputs for inputs, _ in batches])[:, 0]
    assert (first >= 1000).sum() == 200 * share
    for one, found in ((new, first[first < 1000]), (old, first[first >= 1000])):
        assert found.tolist() == starts(one, range(40))[: len(found)]
    assert np.array_equal(mixed.batch(7)[0], batches[7][0])
