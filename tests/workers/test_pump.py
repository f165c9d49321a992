"""Crowds wait for the next frame, everything else goes at once, the order stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui.workers.pump import Pump


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pump_of(clock: Clock) -> Pump[str]:
    return Pump(str.islower, frames_per_second=10, clock=clock)


def test_the_first_of_a_crowd_goes_at_once_the_others_wait() -> None:
    clock = Clock()
    pump = pump_of(clock)
    assert pump.push("a") == ["a"]
    assert pump.push("b") == []
    clock.now += 0.05
    assert pump.push("c") == []
    clock.now += 0.06
    assert pump.push("d") == ["b", "c", "d"]


def test_every_other_event_goes_at_once_and_takes_the_waiting_ones_with_it() -> None:
    pump = pump_of(Clock())
    pump.push("a")
    assert pump.push("b") == []
    assert pump.push("END") == ["b", "END"]
    assert pump.push("c") == []
    assert pump.flush() == ["c"]
    assert pump.flush() == []


def test_an_empty_flush_starts_no_frame() -> None:
    pump = pump_of(Clock())
    pump.flush()
    assert pump.push("a") == ["a"]


@given(st.lists(st.tuples(st.sampled_from("abcXYZ"), st.floats(0, 0.3)), max_size=60))
def test_nothing_is_lost_and_batches_are_seldom(events: list[tuple[str, float]]) -> None:
    clock = Clock()
    pump = pump_of(clock)
    batches, began = [], clock.now
    for event, pause in events:
        clock.now += pause
        if batch := pump.push(event):
            batches.append(batch)
        else:
            assert event.islower()
    rest = pump.flush()
    assert [event for batch in [*batches, rest] for event in batch] == [event for event, _ in events]
    urgent = sum(event.isupper() for event, _ in events)
    assert len(batches) <= (clock.now - began) * 10 + 1 + urgent + 1e-6
