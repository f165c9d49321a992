"""How often the screen is brought up to date."""

from __future__ import annotations

import pytest

from tinygpt_tui.ui.jobs.draw_pace import LONGEST_S, SHARE, DrawPace

really_rest_s = DrawPace.rest_s  # before the fixture that all these tests share puts it out of use


class Clocks:
    """Two clocks that stand still until they are moved."""

    def __init__(self) -> None:
        self.now_s = self.cpu_s = 0.0

    def pace(self) -> DrawPace:
        return DrawPace(lambda: self.now_s, lambda: self.cpu_s)


@pytest.mark.parametrize(
    ("passed_s", "cost_s", "rest_s"),
    [
        (0.033, 0.001, 0.0),
        (0.01, 0.01, 0.01 / SHARE - 0.01),
        (0.01, 5.0, LONGEST_S - 0.01),
        (9.0, 5.0, 0.0),
    ],
    ids=["cheap", "dear", "very dear", "long ago"],
)
def test_what_was_shown_costs_its_share_and_no_more(passed_s: float, cost_s: float, rest_s: float) -> None:
    clocks = Clocks()
    pace = clocks.pace()
    clocks.now_s, clocks.cpu_s = passed_s, cost_s
    assert really_rest_s(pace) == pytest.approx(rest_s)


def test_each_time_counts_by_itself() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    clocks.now_s, clocks.cpu_s = 0.1, 0.1
    pace.begin()
    assert really_rest_s(pace) == 0
