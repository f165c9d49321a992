"""The sampler draws from the distribution that the settings describe, with random numbers of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from makers import ByteTokenizer
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.generation import top_filters
from tinygpt_tui.generation.sampler import Sampler, draw_each
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer

LOGITS = np.array([0.3, -1.2, 2.0, 0.0, 1.1, -0.4], dtype=np.float32)
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "temperature": {"temperature": 1.7},
    "greedy": {"temperature": 0},
    "top k": {"top_k": 7},
    "top p": {"top_p": 0.8},
    "min p": {"min_p": 0.2},
    "top k and p": {"top_k": 20, "top_p": 0.7},
    "all": {"temperature": 1.3, "top_k": 12, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.3},
}
every_filter = pytest.mark.parametrize("chosen", FILTERS.values(), ids=FILTERS)


def softmax(logits: NDArray[Any], temperature: float = 1.0) -> NDArray[np.float64]:
    weights = np.exp(logits.astype(np.float64) / temperature)
    return weights / weights.sum()


def counts(settings: SamplingSettings, logits: NDArray[Any] = LOGITS, draws: int = 8000) -> NDArray[np.intp]:
    sampler = Sampler(settings)
    return np.bincount([sampler.draw(logits) for _ in range(draws)], minlength=len(logits))


def surprise(found: NDArray[Any], chances: NDArray[np.float64]) -> float:
    """Pearson's chi-squared; about the number of outcomes where the counts follow the chances."""
    expected = chances * found.sum()
    return float(((found - expected) ** 2 / expected)[chances > 0].sum())


def plainly(logits: NDArray[np.float32], settings: SamplingSettings, share: float, seen: list[int]) -> int:
    """Draw as the settings say, with lists and loops: what the sampler must do in less time."""
    left = [float(logit) for logit in logits]
    for id in set(seen) if settings.repetition_penalty != 1 else ():
        left[id] = left[id] / settings.repetition_penalty if left[id] > 0 else left[id] * settings.repetition_penalty
    if settings.temperature == 0:
        return left.index(max(left))
    weights = np.exp((np.array(left) - max(left)) / settings.temperature)
    ranked = sorted(range(len(left)), key=lambda id: (-weights[id], id))
    if settings.top_k:
        ranked = ranked[: settings.top_k]
    sums = np.cumsum(weights[ranked])
    if settings.top_p < 1:
        ranked = ranked[: int(np.argmax(sums >= settings.top_p * sums[-1])) + 1]
    ranked = [id for id in ranked if weights[id] >= settings.min_p * weights[ranked[0]]]
    sums = np.cumsum([weights[id] if id in set(ranked) else 0.0 for id in range(len(left))])
    return int(np.argmax(sums > share * sums[-1]))


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
    likely = counts(SamplingSettings(temperature=1, min_p=0.15, seed=3))
    assert set(np.flatnonzero(likely)) == {0, 2, 4}


@every_filter
@given(arrays(np.float32, st.integers(1, 30), elements=st.integers(-6, 6)), st.lists(st.integers(0, 29), max_size=5))
@settings(max_examples=60)
def test_it_draws_what_the_plain_way_draws(
    chosen: dict[str, Any], logits: NDArray[np.float32], began: list[int]
) -> None:
    settings = SamplingSettings(seed=5, **chosen)
    seen = [id for id in began if id < len(logits)]
    sampler, random = Sampler(settings), np.random.default_rng(5)
    sampler.begin(seen)
    for _ in range(4):
        wanted = plainly(logits, settings, random.random(), seen)
        assert sampler.draw(logits) == wanted
        seen.append(wanted)


@every_filter
@pytest.mark.parametrize("scale", [0.02, 1.0, 3.0])
def test_a_large_vocabulary_is_drawn_from_as_a_small_one(
    chosen: dict[str, Any], scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = np.random.default_rng(3)
    logits = (some.normal(size=3000) * scale).astype(np.float32).round(2)  # with ties
    settings = SamplingSettings(seed=5, **chosen)
    small = Sampler(settings)
    wanted = [small.draw(logits) for _ in range(30)]
    monkeypatch.setattr(top_filters, "LARGE", 600)
    monkeypatch.setattr("tinygpt_tui.generation.sampler.LARGE", 600)
    monkeypatch.setattr(top_filters, "RANKED", (16, 100))
    large = Sampler(settings)
    assert [large.draw(logits) for _ in range(30)] == wanted
    rows = [Sampler(settings), Sampler(settings)]
    assert [draw_each(rows, np.stack([logits, logits]))[0] for _ in range(30)] == wanted


@every_filter
@pytest.mark.parametrize("alike", [True, False])
def test_samplers_draw_together_what_each_draws_alone(chosen: dict[str, Any], alike: bool) -> None:
    some = np.random.default_rng(3)
    settings = [{**chosen, **({} if alike or i % 2 else {"temperature": 0.4 + i, "top_k": 3})} for i in range(5)]
    together, alone = ([Sampler(SamplingSettings(seed=40 + i, **own)) for i, own in enumerate(settings)] for _ in "ab")
    for i in range(5):
        together[i].begin([i, 2 * i])
        alone[i].begin([i, 2 * i])
    for rows in ([0, 1, 2, 3, 4], [0, 2, 4], [1, 0], [0], []):
        together, alone = [together[row] for row in rows], [alone[row] for row in rows]
        for _ in range(10):
            logits = some.normal(size=(len(rows), 50)).astype(np.float32).round(1)
            assert draw_each(together, logits) == [one.draw(row) for one, row in zip(alone, logits, strict=True)]


def test_the_repetition_penalty_counts_what_was_drawn_and_what_stood_there() -> None:
    logits = np.array([2.0, 1.9, 1.8], dtype=np.float32)
    sampler = Sampler(SamplingSettings(temperature=0, repetition_penalty=1.5))
    sampler.begin([0])
    assert [sampler.draw(logits) for _ in range(3)] == [1, 2, 0]


def test_temperature_zero_takes_the_likeliest_and_the_first_of_equals() -> None:
    assert counts(SamplingSettings(temperature=0, seed=1), draws=50).tolist() == [0, 0, 50, 0, 0, 0]
    assert Sampler(SamplingSettings(temperature=0)).draw(np.array([1, 5, 5], dtype=np.float32)) == 1


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-9])
def test_a_temperature_close_to_zero_is_nearly_zero(temperature: float) -> None:
    assert Sampler(SamplingSettings(temperature=temperature, seed=1)).draw(LOGITS) == 2
    assert Sampler(SamplingSettings(temperature=temperature, seed=1)).draw(LOGITS - 50) == 2


@pytest.mark.parametrize("penalty", [5e-324, 1.0, 10.0])
@pytest.mark.parametrize("temperature", [5e-324, 10.0])
def test_huge_logits_do_no_harm(penalty: float, temperature: float) -> None:
    logits = np.array([3e38, -3e38, 0], dtype=np.float32)
    sampler = Sampler(SamplingSettings(temperature=temperature, repetition_penalty=penalty, seed=1))
    sampler.begin([0, 1, 2])
    assert sampler.draw(logits) == 0


def test_what_is_impossible_is_never_drawn() -> None:
    logits = np.array([-np.inf, 0, -np.inf, 0], dtype=np.float32)
    found = counts(SamplingSettings(temperature=10, seed=1), logits, 200)
    assert found[0] == found[2] == 0
    assert found[1] > 0 < found[3]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_answer_without_numbers_is_an_error_and_no_token(temperature: float, wrong: float) -> None:
    logits = LOGITS.copy()
    logits[3] = wrong
    settings = SamplingSettings(temperature=temperature)
    with pytest.raises(CheckpointError, match="instead of numbers") as caught:
        Sampler(settings).draw(logits)
    assert caught.value.hint
    good, bad = draw_each([Sampler(settings), Sampler(settings)], np.stack([LOGITS, logits]))
    assert isinstance(good, int)  # the others are drawn
    assert isinstance(bad, CheckpointError)


def test_nothing_left_is_an_error_with_a_way_out() -> None:
    nothing = np.full(4, -np.inf, dtype=np.float32)
    with pytest.raises(UsageError, match="no token is left") as caught:
        Sampler(SamplingSettings()).draw(nothing)
    assert "allow more" in caught.value.hint


def test_one_random_number_a_token_whatever_the_settings_and_the_model() -> None:
    samplers = [Sampler(SamplingSettings(**{"seed": 9, **chosen})) for chosen in FILTERS.values()]
    for sampler, size in zip(samplers, (6, 40, 5000, 6, 40, 5000, 5000, 6), strict=True):
        for _ in range(3):
            sampler.draw(np.linspace(0, 1, size, dtype=np.float32))
    assert len({sampler.random() for sampler in samplers}) == 1


def test_without_a_seed_each_time_another_one() -> None:
    seeds = {Sampler(SamplingSettings()).seed for _ in range(20)}
    assert len(seeds) == 20
    assert Sampler(SamplingSettings(seed=0)).seed == 0


def test_barred_characters_are_never_drawn() -> None:
    tokenizer = CharTokenizer("abcdef")
    mask = TokenMask(tokenizer, banned="cf", allowed="")
    sampler = Sampler(SamplingSettings(temperature=10, seed=1), mask)
    assert {sampler.draw(LOGITS) for _ in range(300)} == {0, 1, 3, 4}
    rows = [Sampler(SamplingSettings(temperature=10, seed=seed), mask) for seed in range(3)]
    assert {id for _ in range(200) for id in draw_each(rows, np.stack([LOGITS] * 3))} == {0, 1, 3, 4}


def test_what_waits_for_its_other_bytes_is_remembered_for_each_text() -> None:
    mask = TokenMask(ByteTokenizer(), banned="", allowed="éa")
    rows = [Sampler(SamplingSettings(seed=seed, temperature=10), mask) for seed in range(2)]
    drawn = np.array([draw_each(rows, np.zeros((2, 256), dtype=np.float32)) for _ in range(101)]).T
    for ids in drawn:
        text = bytes(ids.tolist()).decode("utf-8", "ignore")
        assert set(text) == {"é", "a"}
