"""A model that adapts: what it learns is a function of the text, it predicts first, and the original never changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import VARIANTS, random_ids, random_model, tiny_gpt

from tinygpt_tui.adapting.engine import AdaptiveEngine
from tinygpt_tui.adapting.learner import Learner
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.generation.engine import TorchEngine

SLIDING = tiny_gpt(positions="rotary", sliding=True)
PHRASE = random_ids(23)
# One of each architecture, and the GPT's ways to know where a token is.
FIRST = {type(settings): name for name, settings in reversed(VARIANTS.items())}
NAMES = {*FIRST.values(), "sliding", "modern"}


def state_of(model: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_architecture_learns_a_text_that_repeats(name: str) -> None:
    model = random_model(VARIANTS[name])
    before = state_of(model)
    engine = AdaptiveEngine(model)
    logits = engine.prefill(PHRASE * 8)
    assert sum(engine.losses[-23:]) < sum(engine.losses[:23])
    assert engine.steps > 0
    assert not same(before, state_of(engine.model))
    assert same(before, state_of(model)), "the original has changed"
    assert abs(np.exp(logits.astype(np.float64)).sum() - 1) < 1e-6
    assert engine.largest_error < 1e-6


@pytest.mark.parametrize("settings", [SLIDING, tiny_gpt()], ids=["sliding", "classic"])
def test_a_text_in_parts_teaches_what_the_whole_does(settings: object) -> None:
    model = random_model(settings)  # type: ignore[arg-type]
    ids = random_ids(300)
    whole, parts = AdaptiveEngine(model), AdaptiveEngine(model)
    wanted = whole.prefill(ids)
    for end in (1, 2, 7, 131, 131, 290, 300):
        found = parts.prefill(ids[:end])
        for id in random_ids(5, seed=end):
            parts.step(id)  # written, and not read
    found = parts.prefill(ids)
    assert found == pytest.approx(wanted, abs=1e-4)
    assert parts.losses == pytest.approx(whole.losses, abs=1e-4)
    assert parts.steps == whole.steps


@pytest.mark.parametrize("settings", [SLIDING, tiny_gpt()], ids=["sliding", "classic"])
def test_steps_that_are_read_teach_what_the_whole_does(settings: object) -> None:
    model = random_model(settings)  # type: ignore[arg-type]
    ids = random_ids(300)
    whole, steps = AdaptiveEngine(model), AdaptiveEngine(model, steps_are_read=True)
    for _ in range(2):  # the second text starts from the original again
        found = steps.prefill(ids[:1])
        for id in ids[1:]:
            found = steps.step(id)
    assert found == pytest.approx(whole.prefill(ids), abs=1e-4)
    assert steps.losses == pytest.approx(whole.losses, abs=1e-4)
    assert steps.steps == whole.steps


@pytest.mark.parametrize("other", [SLIDING, tiny_gpt()], ids=["sliding", "classic"])
def test_two_models_learn_together_in_whatever_parts_the_text_comes(other: object) -> None:
    models = [random_model(SLIDING), random_model(other, seed=3)]  # type: ignore[arg-type]
    before = [state_of(model) for model in models]
    ids = random_ids(300)
    whole = AdaptiveEngine(models[0], others=models[1:])
    parts = AdaptiveEngine(models[0], others=models[1:])
    steps = AdaptiveEngine(models[0], others=models[1:], steps_are_read=True)
    wanted = whole.prefill(ids)
    for end in (1, 7, 131, 300):
        found = parts.prefill(ids[:end])
        for id in random_ids(5, seed=end):
            parts.step(id)  # written, and not read
    assert parts.prefill(ids) == pytest.approx(wanted, abs=1e-4)
    found = steps.prefill(ids[:1])
    for id in ids[1:]:
        found = steps.step(id)
    assert found == pytest.approx(wanted, abs=1e-4)
    assert steps.losses == pytest.approx(whole.losses, abs=1e-4)
    assert all(same(*pair) for pair in zip(before, map(state_of, models), strict=True)), "an original has changed"


def test_a_model_mixed_with_itself_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.adapting.cache.RATE", 0.0)
    model, ids = random_model(SLIDING), random_ids(200)
    alone, twice = AdaptiveEngine(model), AdaptiveEngine(model, others=[model])
    assert twice.prefill(ids) == pytest.approx(alone.prefill(ids), abs=1e-5)
    assert twice.losses == pytest.approx(alone.losses, abs=1e-5)


def test_a_token_is_predicted_before_it_is_learned_from() -> None:
    ids = random_ids(200)
    one, two = AdaptiveEngine(random_model(SLIDING)), AdaptiveEngine(random_model(SLIDING))
    one.prefill(ids)
    two.prefill([*ids[:150], *random_ids(50, seed=9)])
    assert one.losses[:150] == pytest.approx(two.losses[:150], abs=1e-5)
    assert one.losses[150:] != pytest.approx(two.losses[150:], abs=1e-3)


def test_what_is_written_teaches_nothing() -> None:
    engine = AdaptiveEngine(random_model(SLIDING))
    wanted = engine.prefill(PHRASE)
    before = state_of(engine.model)
    for id in random_ids(200):
        engine.step(id)
    assert same(before, state_of(engine.model))
    assert engine.prefill(PHRASE) == pytest.approx(wanted, abs=1e-6)


def test_another_text_starts_from_the_original() -> None:
    model = random_model(SLIDING)
    engine = AdaptiveEngine(model)
    engine.prefill(random_ids(300))
    fresh = AdaptiveEngine(model)
    assert engine.prefill(PHRASE) == pytest.approx(fresh.prefill(PHRASE), abs=1e-6)
    assert (engine.steps, engine.losses) == (fresh.steps, fresh.losses)


@pytest.mark.parametrize("settings", [SLIDING, tiny_gpt()], ids=["sliding", "classic"])
def test_without_a_rate_and_a_cache_it_is_the_model(settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner.__init__, "__defaults__", (0.0, *Learner.__init__.__defaults__[1:]))  # type: ignore[index]
    monkeypatch.setattr("tinygpt_tui.adapting.cache.START", 0.0)
    monkeypatch.setattr("tinygpt_tui.adapting.cache.RATE", 0.0)
    model = random_model(settings)  # type: ignore[arg-type]
    ids = random_ids(20)
    plain = TorchEngine(model, "rolling" if settings is SLIDING else "exact")
    logits = AdaptiveEngine(model).prefill(ids)
    expected = plain.prefill(ids if settings is SLIDING else ids[13:]).astype(np.float64)
    assert logits == pytest.approx(expected - np.log(np.exp(expected).sum()), abs=1e-5)


def test_a_learning_that_runs_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner.__init__, "__defaults__", (1e30, *Learner.__init__.__defaults__[1:]))  # type: ignore[index]
    with pytest.raises(CheckpointError, match="no numbers"):
        AdaptiveEngine(random_model(tiny_gpt())).prefill(PHRASE)


@pytest.mark.parametrize(("ids", "words"), [([], "at least one"), ([1, 13], "token 13"), ([-1], "token -1")])
def test_wrong_ids_are_refused(ids: list[int], words: str) -> None:
    engine = AdaptiveEngine(random_model(SLIDING))
    with pytest.raises(UsageError, match=words):
        engine.prefill(ids)
    with pytest.raises(UsageError, match="prefill"):
        engine.step(1)
