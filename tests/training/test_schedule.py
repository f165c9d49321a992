"""The rate rises, falls, and rises again where a run was made longer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from makers import small_training

from tinygpt_tui.settings.training import Extension, TrainingSettings
from tinygpt_tui.training.schedule import rate_share


def curve(settings: TrainingSettings, *extensions: Extension) -> list[float]:
    return [rate_share(step, settings, extensions) for step in range(settings.steps)]


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
def test_up_and_down(decay: str) -> None:
    shares = curve(small_training(steps=100, warmup_share=0.1, decay=decay, final_rate=0.1))
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == 1.0
    assert shares[9:] == sorted(shares[9:], reverse=True)
    assert shares[-1] == (1.0 if decay == "constant" else pytest.approx(0.1, abs=0.02))
    assert min(shares) > 0


@pytest.mark.parametrize(("decay", "quarter"), [("linear", 0.25), ("cosine", (1 - math.cos(math.pi / 4)) / 2)])
def test_each_decay_has_its_own_curve(decay: str, quarter: float) -> None:
    """At both ends and in the middle a cosine and a line are the same: only between them can they be told apart."""
    shares = curve(small_training(steps=401, warmup_share=0.0, decay=decay, final_rate=0.2))
    assert shares[100] == pytest.approx(1 - 0.8 * quarter, abs=5e-3)
    assert shares[300] == pytest.approx(0.2 + 0.8 * quarter, abs=5e-3)


@pytest.mark.parametrize("decay", ["linear", "cosine"])
@pytest.mark.parametrize(("at", "steps"), [(100, 300), (40, 200), (80, 90)])
def test_a_longer_run_rises_to_where_it_would_be_and_falls_from_there(decay: str, at: int, steps: int) -> None:
    short = curve(small_training(steps=100, warmup_share=0.05, decay=decay))
    from_the_start = curve(small_training(steps=steps, warmup_share=0.05, decay=decay))
    settings = small_training(steps=steps, warmup_share=0.05, decay=decay)
    shares = curve(settings, Extension(at=at, steps_before=100))
    assert shares[:at] == short[:at]
    rise = max(1, round(0.05 * (steps - at)))
    assert shares[at + rise :] == from_the_start[at + rise :]
    joined = np.array([short[min(at, 99)], *shares[at : at + rise + 1]])
    np.testing.assert_allclose(np.diff(joined), (joined[-1] - joined[0]) / (rise + 1), atol=1e-12)  # evenly, no jump


def test_made_longer_twice() -> None:
    first, second = Extension(at=100, steps_before=100), Extension(at=200, steps_before=200)
    twice = curve(small_training(steps=300), first, second)
    assert twice[:200] == curve(small_training(steps=200), first)
    assert twice[250:] == curve(small_training(steps=300))[250:]
    assert all(0 < share <= 1 for share in twice)
