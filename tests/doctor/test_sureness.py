"""From where on a model is called too sure, or not sure enough."""

from __future__ import annotations

import pytest

from tinygpt_tui.doctor.sureness import sureness_finding


@pytest.mark.parametrize(
    ("says", "is_right", "level", "words"),
    [
        (0.60, 0.58, "fine", "it says 60% and is right 58% of the time"),
        (0.62, 0.58, "warning", "too sure"),
        (0.58, 0.60, "fine", "it says 58%"),
        (0.58, 0.62, "warning", "not sure enough"),
    ],
)
def test_three_points_are_the_limit(says: float, is_right: float, level: str, words: str) -> None:
    finding = sureness_finding("shakespeare", says, is_right)
    assert finding.level == level
    assert words in finding.text
    assert ("calibrate shakespeare" in finding.why) == (level == "warning")
