"""What a step of the other nets costs, beside what it was measured to cost on the core of the fit."""

from __future__ import annotations

import pytest

from tinygpt_tui.planning.cost import evaluation_seconds, memory_bytes, sample_seconds, step_seconds
from tinygpt_tui.planning.machine import Machine
from tinygpt_tui.settings.presets import find_preset

MEASURED_MS = {
    "bigram": 1.8,
    "rnn-nano": 27.0,
    "rnn": 200.0,
    "gru": 157.0,
    "lstm": 80.0,
    "cnn": 122.0,
    "backpack-nano": 61.0,
    "backpack": 190.0,
}


@pytest.mark.parametrize("preset", MEASURED_MS)
def test_a_step_is_estimated_within_a_half(preset: str) -> None:
    training = find_preset(preset).training
    assert 1 / 1.5 < step_seconds(training, Machine()) * 1e3 / MEASURED_MS[preset] < 1.5
    assert 0 < evaluation_seconds(training, 100_000, Machine()) < 30
    assert 0 <= sample_seconds(training, Machine()) < 10
    assert 80e6 < memory_bytes(training) < 1e9
