"""What happens when the window is full."""

from __future__ import annotations

import doctest

import pytest

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings import windows
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.windows import policy_for

SLIDING = GPTSettings(positions="rotary", sliding=True)


def test_the_examples_hold() -> None:
    assert doctest.testmod(windows) == (0, 1)


def test_auto_is_rolling_where_that_is_exact_and_else_exact() -> None:
    assert (policy_for("auto", SLIDING), policy_for("auto", GPTSettings())) == ("rolling", "exact")


def test_a_model_that_was_not_trained_to_slide_does_not_roll() -> None:
    assert policy_for("rolling", SLIDING) == "rolling"
    with pytest.raises(UsageError, match="slide"):
        policy_for("rolling", GPTSettings(positions="rotary"))
