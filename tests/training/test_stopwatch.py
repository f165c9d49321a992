"""Time asleep is no time at work."""

from __future__ import annotations

import time

import pytest

from tinygpt_tui.training import stopwatch
from tinygpt_tui.training.stopwatch import Stopwatch


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The two clocks, as the test sets them."""
    now = {"wall": 100.0, "work": 5.0}
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(stopwatch.time, "process_time", lambda: now["work"])
    return now


@pytest.mark.parametrize(
    ("wall", "work", "counted"),
    [
        (0.5, 0.01, 0.5),  # waiting for an accelerator, or for a disk
        (60.0, 55.0, 60.0),  # a long evaluation
        (60.0, 12.0, 60.0),  # a compiler at work in other processes
        (8 * 3600.0, 0.2, 0.2),  # a night with the lid closed
    ],
)
def test_what_counts(clocks: dict[str, float], wall: float, work: float, counted: float) -> None:
    watch = Stopwatch()
    clocks["wall"] += wall
    clocks["work"] += work
    assert watch.seconds() == pytest.approx(counted)


def test_waiting_for_an_accelerator_is_work(clocks: dict[str, float]) -> None:
    watch = Stopwatch(waits=True)
    clocks["wall"] += 60
    clocks["work"] += 0.5
    assert watch.seconds() == pytest.approx(60)


def test_the_real_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "SUSPICIOUS_S", 0.02)
    held, busy = Stopwatch(), Stopwatch()
    time.sleep(0.1)  # what is measured, not what is waited for
    assert held.seconds() < 0.05
    # on a loaded machine the loop below gets a small part of the time
    while time.process_time() - busy._work < max(0.02, 2 * stopwatch.IDLE_SHARE * (time.perf_counter() - busy._wall)):
        sum(range(1000))
    assert busy.seconds() > 0.1
