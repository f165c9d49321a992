"""The rate rises, falls, and rises again where a run was made longer."""

from __future__ import annotations

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
    joined = [short[min(at, 99)], *shares[at : at + rise + 1]]
    assert joined in (sorted(joined), sorted(joined, reverse=True))  # one way, without a jump over its goal


def test_made_longer_twice() -> None:
    first, second = Extension(at=100, steps_before=100), Extension(at=200, steps_before=200)
    twice = curve(small_training(steps=300), first, second)
    assert twice[:200] == curve(small_training(steps=200), first)
    assert twice[250:] == curve(small_training(steps=300))[250:]
    assert all(0 < share <= 1 for share in twice)
