"""What the trainer's own look finds in nets that are broken on purpose, and that looking changes nothing."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from makers import TEXT, random_model, small_corpus, small_training

from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.doctor.one_batch import one_batch_finding
from tinygpt_tui.events.training import Finding
from tinygpt_tui.settings.architecture import BigramSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training import health as module
from tinygpt_tui.training.fused import use_fused
from tinygpt_tui.training.health import HealthCheck


def health_check(**changes: object) -> tuple[HealthCheck, TrainingSettings, Corpus]:
    settings, corpus = small_corpus(small_training(**changes))
    return HealthCheck(settings, corpus.train, corpus.validation), settings, corpus


def only(findings: object) -> Finding:
    (finding,) = findings  # type: ignore[misc]
    assert isinstance(finding, Finding)
    return finding


@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
@pytest.mark.parametrize("activation", ["relu", "relu_squared"])
def test_dead_units_are_counted(activation: str, fused: bool) -> None:
    look, settings, _ = health_check(activation=activation)
    model = random_model(settings.architecture)
    if fused and not use_fused(model):
        pytest.skip("no native kernels here")
    assert only(look.at_evaluation(model, 4)).level == "fine"
    with torch.no_grad():
        next(part.c_fc for part in model.modules() if hasattr(part, "c_fc")).weight[:32] = 0.0
    finding = only(look.at_evaluation(model, 8))
    assert (finding.level, finding.check) == ("warning", "dead-units")
    assert finding.text.startswith("32 of 128 units")
    assert finding.remedy["activation"] == "gelu"
    assert not list(look.at_evaluation(model, 12))  # said once


def test_units_that_cannot_die_are_not_looked_at() -> None:
    look, settings, _ = health_check(activation="gelu")
    assert not list(look.at_evaluation(random_model(settings.architecture), 4))


@pytest.mark.parametrize(("moved", "level"), [(1.0, "warning"), (1e-3, "fine"), (1e-7, "warning")])
def test_how_far_a_step_moves_the_weights(moved: float, level: str) -> None:
    look, settings, _ = health_check()
    model = random_model(settings.architecture)

    def move(at: int) -> list[Finding]:
        list(look.at_evaluation(model, at))
        with torch.no_grad():
            for weight in model.parameters():
                weight *= 1 + moved
        return list(look.after_step(model, at + 1, settings.learning_rate))

    first = move(4)
    assert bool(first) == (level == "fine")  # one large step, as in a warm-up, is no finding
    finding = only(first or move(8))
    assert (finding.check, finding.level) == ("step-size", level)
    assert not list(look.after_step(model, 10, settings.learning_rate))  # one step for each evaluation


def test_the_small_steps_at_the_end_are_meant() -> None:
    look, settings, _ = health_check()
    model = random_model(settings.architecture)
    for step in (4, 8, 12):  # one small step alone would be no finding at any rate
        list(look.at_evaluation(model, step))
        assert not list(look.after_step(model, step + 1, settings.learning_rate / 10))


def test_windows_from_all_over_the_text() -> None:
    look, settings, _ = health_check()
    finding = next(look.at_evaluation(random_model(settings.architecture), 0))
    assert (finding.check, finding.level) == ("windows", "fine")


def test_windows_from_one_corner_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    # A program this one grew from drew all of them from the first 58 characters, and nobody noticed.
    class Corner(module.Windows):
        def __init__(self, ids: np.ndarray, block_size: int, batch_size: int, seed: int) -> None:
            super().__init__(ids[:20], block_size, batch_size, seed)

    monkeypatch.setattr(module, "Windows", Corner)
    look, settings, _ = health_check(steps=1000)
    assert next(look.at_evaluation(random_model(settings.architecture), 0)).level == "bad"


def test_looking_changes_nothing() -> None:
    look, settings, _ = health_check(activation="relu", dropout=0.5)
    model = random_model(settings.architecture).train()
    before, random = {name: weight.clone() for name, weight in model.named_parameters()}, torch.get_rng_state()
    list(look.at_evaluation(model, 0))
    list(look.at_evaluation(model, 4))
    list(look.after_step(model, 5, 1.0))
    assert model.training
    assert torch.equal(random, torch.get_rng_state())
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name])
    assert not any(part._forward_hooks for part in model.modules())


def test_one_batch_is_learnt_by_heart_and_the_random_state_stays() -> None:
    settings, corpus = small_corpus(small_training(dropout=0.5))
    random = torch.get_rng_state()
    finding = one_batch_finding(settings, corpus, patience_s=200)
    assert finding.level == "fine", finding
    assert torch.equal(random, torch.get_rng_state())


def test_a_net_that_cannot_learn_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.doctor.one_batch.RATE", 0.0)
    monkeypatch.setattr("tinygpt_tui.doctor.one_batch.STEPS", 3)
    settings, corpus = small_corpus(small_training(), TEXT)
    finding = one_batch_finding(msgspec.structs.replace(settings, seed=3), corpus)
    assert finding.level == "bad"
    assert "cannot memorise even one batch" in finding.text


def test_a_table_of_pairs_need_not_learn_by_heart() -> None:
    settings, corpus = small_corpus(small_training(), TEXT)
    settings = msgspec.structs.replace(settings, architecture=BigramSettings(vocab_size=corpus.tokenizer.size))
    finding = one_batch_finding(settings, corpus)
    assert finding.level == "fine"
    assert "need not" in finding.text
