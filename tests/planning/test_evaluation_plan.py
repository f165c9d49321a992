"""How often a run is evaluated, and on how much."""

from __future__ import annotations

import pytest
from makers import small_training

from tinygpt_tui.planning.evaluation_plan import FORWARD_COST, evaluation_spacing, evaluation_tokens
from tinygpt_tui.settings.presets import find_preset

SPLIT = 111_540  # of tiny Shakespeare


@pytest.mark.parametrize("preset", ["seconds", "quick", "classic", "coffee", "modern", "nanogpt", "tinygpt"])
def test_evaluations_on_the_way_leave_a_share_to_the_last(preset: str) -> None:
    settings = find_preset(preset).training
    tokens = evaluation_tokens(settings, SPLIT)
    count = settings.steps / evaluation_spacing(settings, SPLIT, tokens)
    trained = settings.steps * settings.batch_size * settings.architecture.training_length
    share = FORWARD_COST * (count * (tokens or SPLIT) + SPLIT) / trained
    assert share < 0.031 or (count <= 8 and tokens == 4096)  # no fewer points, and none that says nothing
    assert 7 < count <= 25
    assert tokens == 0 or tokens >= 4096


def test_a_small_split_is_read_whole_each_time() -> None:
    assert evaluation_tokens(find_preset("seconds").training, 5_000) == 0
    assert evaluation_tokens(find_preset("tinygpt").training, SPLIT) == 0


def test_how_many_tokens_are_read_can_be_said() -> None:
    assert evaluation_tokens(small_training(evaluation_tokens=100), SPLIT) == 100
    assert evaluation_tokens(small_training(evaluation_tokens=200_000), SPLIT) == 0
    seldom = small_training(steps=1_000_000, evaluate_every=500_000)
    assert evaluation_tokens(seldom, SPLIT) == 0  # so few may read all
    assert evaluation_spacing(seldom, SPLIT, 0) == 500_000
