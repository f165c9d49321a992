"""The sampler draws from the distribution that the settings describe, with random numbers of its own."""

from __future__ import annotations

import numpy as np
import pytest

from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.settings.sampling import SamplingSettings

LOGITS = np.array([0.3, -1.2, 2.0, 0.0, 1.1, -0.4], dtype=np.float32)


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    weights = np.exp(logits.astype(np.float64) / temperature)
    return weights / weights.sum()


def counts(settings: SamplingSettings, logits: np.ndarray = LOGITS, draws: int = 8000) -> np.ndarray:
    sampler = Sampler(settings)
    return np.bincount([sampler.draw(logits) for _ in range(draws)], minlength=len(logits))


def surprise(found: np.ndarray, chances: np.ndarray) -> float:
    """Pearson's chi-squared; about the number of outcomes where the counts follow the chances."""
    expected = chances * found.sum()
    return float(((found - expected) ** 2 / expected)[chances > 0].sum())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_counts_follow_softmax_at_the_temperature(temperature: float) -> None:
    found = counts(SamplingSettings(temperature=temperature, seed=1))
    assert surprise(found, softmax(LOGITS, temperature)) < 25  # 1 in 5000 for 5 degrees of freedom
    assert surprise(found, softmax(LOGITS, temperature * 1.15)) > 25  # and the test would see another temperature


def test_filters_leave_the_others_their_shares() -> None:
    found = counts(SamplingSettings(temperature=1, top_k=3, seed=2))
    kept = [2, 4, 0]
    assert found.sum() == found[kept].sum()
    assert surprise(found[kept], softmax(LOGITS[kept])) < 20
    nucleus = counts(SamplingSettings(temperature=1, top_p=0.6, seed=3))
    assert set(np.flatnonzero(nucleus)) == {2, 4}


def test_temperature_zero_takes_the_likeliest_and_the_first_of_equals() -> None:
    assert counts(SamplingSettings(temperature=0, seed=1), draws=50).tolist() == [0, 0, 50, 0, 0, 0]
    assert Sampler(SamplingSettings(temperature=0)).draw(np.array([1, 5, 5], dtype=np.float32)) == 1


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-9])
def test_a_temperature_close_to_zero_is_nearly_zero(temperature: float) -> None:
    assert Sampler(SamplingSettings(temperature=temperature, seed=1)).draw(LOGITS) == 2
    assert Sampler(SamplingSettings(temperature=temperature, seed=1)).draw(LOGITS - 50) == 2


def test_huge_logits_do_no_harm() -> None:
    logits = np.array([3e38, -3e38, 0], dtype=np.float32)
    assert Sampler(SamplingSettings(temperature=10, seed=1)).draw(logits) == 0


def test_one_random_number_a_token_whatever_the_settings() -> None:
    plain, greedy = (Sampler(SamplingSettings(temperature=degrees, seed=9)) for degrees in (1.0, 0.0))
    for _ in range(5):
        plain.draw(LOGITS)
        greedy.draw(LOGITS)
    assert plain._random.random() == greedy._random.random()


def test_without_a_seed_each_time_another_one() -> None:
    seeds = {Sampler(SamplingSettings()).seed for _ in range(20)}
    assert len(seeds) == 20
    assert Sampler(SamplingSettings(seed=0)).seed == 0
