"""Twenty curves of known faults: the doctor finds each, first and alone, and never contradicts the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.doctor.examination import Examination
from tinygpt_tui.doctor.rounds import findings_of, verdict_words
from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Step
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings

GUESSING, UNIGRAM = 4.17, 3.35
FLOORS = [
    Floor("guessing", 0, GUESSING), Floor("unigram", 1, UNIGRAM), Floor("bigram", 2, 2.48), Floor("trigram", 3, 1.97),
    Floor("5-gram", 5, 1.56),
]  # fmt: skip
STEPS, EVERY = 1000, 50
SETTINGS = TrainingSettings(architecture=GPTSettings(vocab_size=65), steps=STEPS, learning_rate=3e-3)
T = np.arange(1.0, STEPS + 1)
Curve = NDArray[np.float64]


def falling(to: float, time: float = 150, start: float = GUESSING) -> Curve:
    return to + (start - to) * np.exp(-T / time)


def from_step(step: int, slope: float) -> Curve:
    """Nothing, and from `step` on so much more per 1000 steps."""
    return np.maximum(0, T - step) / 1000 * slope


def jump(step: int, height: float, back: int = STEPS + 1) -> Curve:
    return np.where((step <= T) & (back > T), height, 0.0)


def noise(deviation: float, seed: int = 0) -> Curve:
    return np.random.default_rng(seed).normal(0, deviation, STEPS)


@dataclass
class Case:
    """`wrong` are the checks that must find something, the first of them first; `verdict` a part of the sentence."""

    name: str
    train: Curve
    validation: Curve
    wrong: tuple[str, ...]
    verdict: str
    untrained: float = GUESSING
    norm: float = 0.5
    reason: str = "finished"
    cause: str = ""
    remedy: dict[str, str] = field(default_factory=dict)
    steps: int = STEPS


FASTER, CALMER, DROPOUT = {"learning_rate": "0.009"}, {"learning_rate": "0.001"}, {"dropout": "0.1"}
CASES = [
    Case("good", falling(1.4) + noise(0.05), falling(1.5), (), "better than a 5-gram"),
    Case("good, few steps", falling(1.0, 600), falling(1.1, 600), ("short",), "better than a trigram", steps=1000),
    Case("stuck", UNIGRAM + noise(0.02), np.full(STEPS, UNIGRAM), ("stuck",), "counting letters", remedy=FASTER),
    Case(
        "stuck, clipped", UNIGRAM + noise(0.02), np.full(STEPS, UNIGRAM), ("stuck",), "counting letters", norm=5.0,
        remedy=CALMER,
    ),
    Case("stuck for a while", falling(UNIGRAM, 50) - from_step(500, 3), falling(UNIGRAM, 50) - from_step(500, 3),
         ("short",), "better than a trigram"),
    Case("over-fits", falling(1.3) - from_step(300, 1), falling(1.6) + from_step(300, 0.6), ("overfitting",),
         "overfitting since step", remedy=DROPOUT),
    Case("over-fits as far as counting letters", falling(0.2), falling(1.9, 20) + np.minimum(1.45, from_step(40, 3)),
         ("overfitting",), "overfitting since step", remedy=DROPOUT),
    Case("over-fits beyond guessing", falling(0.1), falling(1.9, 20) + from_step(40, 5), ("overfitting",),
         "overfitting since step", remedy=DROPOUT),
    Case("over-fits from the start", falling(0.5), 2.3 + from_step(50, 2), ("overfitting",), "since step 50",
         remedy=DROPOUT),
    Case("memorises, and never generalises", falling(0.3), falling(UNIGRAM, 40), ("overfitting",), "", remedy=DROPOUT),
    Case("jumps", falling(1.4) + jump(600, 1.0), falling(1.5) + jump(600, 1.0), ("rate",), "worse since",
         remedy=CALMER),
    Case("jumps and recovers", falling(1.4) + jump(600, 1.0, 700), falling(1.5), ("rate",), "better than a 5-gram",
         remedy=CALMER),
    Case("jumps back to counting letters", np.where(T < 500, falling(1.4), UNIGRAM),
         np.where(T < 500, falling(1.5), UNIGRAM), ("rate",), "worse since", remedy=CALMER),
    Case("blows up", falling(1.4), falling(1.5), ("rate",), "", reason="failed",
         cause="diverged", remedy=CALMER),
    Case("creeps up", falling(1.5, 100) + from_step(300, 0.25), falling(1.6, 100) + from_step(300, 0.25), ("rate",),
         "worse since", remedy=CALMER),
    Case("level", falling(2.2, 40) + noise(0.03), falling(2.2, 40), (), "level"),
    Case("level and noisy", falling(2.2, 40) + noise(0.1), falling(2.2, 40) + noise(0.01, 1), (), "than a bigram"),
    Case("untrained and sure", falling(1.4, 100, 11.2), falling(1.5, 100, 11.2), ("initial-loss",),
         "better than a 5-gram", untrained=11.2),
    Case("untrained and knowing", falling(0.8, 100, 1.0), falling(0.8, 100, 1.0), ("initial-loss",),
         "better than a 5-gram", untrained=1.0),
    Case("two evaluations", falling(1.4), falling(1.5), (), "", reason="stopped", steps=100),
]  # fmt: skip


def history_of(case: Case) -> RunHistory:
    history = RunHistory(steps=STEPS)
    history.add([RunStarted(0.0, 0, STEPS, 1, 1, 1, "cpu", 1)])
    history.add([Evaluation(0, case.untrained, case.untrained, 0, case.untrained, 0.1)])
    best = (0, case.untrained)
    for step in range(1, case.steps + 1):
        history.add([Step(step, float(case.train[step - 1]), 1e-3, case.norm, 1.0, 1.0)])
        if step % EVERY == 0:
            loss, mean = float(case.validation[step - 1]), float(case.train[step - EVERY : step].mean())
            best = min(best, (step, loss), key=lambda one: one[1])
            history.add([Evaluation(step, loss, mean, *best, 0.1)])
    history.add([RunEnded(0.0, case.steps, case.reason, *best, 1.0, cause=case.cause)])  # type: ignore[arg-type]
    return history


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_fault_is_found_and_no_other(case: Case) -> None:
    history, examination = history_of(case), Examination(floors=FLOORS)
    findings = findings_of(history, SETTINGS, examination)
    assert tuple(finding.check for finding in findings if finding.level != "fine") == case.wrong
    assert case.verdict in verdict_words(history, examination, None).lower()
    if case.remedy:
        assert findings[0].remedy == case.remedy


@pytest.mark.parametrize("end", [150, 400, 700])
def test_no_finding_contradicts_the_verdict_at_any_moment(end: int) -> None:
    for case in CASES:
        history = history_of(Case(**{**vars(case), "steps": min(end, case.steps)}))
        findings = findings_of(history, SETTINGS, Examination(floors=FLOORS))
        wrong = [finding.check for finding in findings if finding.level != "fine"]
        verdict = verdict_words(history, Examination(floors=FLOORS), None).lower()
        if "overfitting" in verdict:
            assert wrong[0] == "overfitting", (case.name, verdict, wrong)
        if "better than" in verdict or "overfitting" in verdict:
            assert "stuck" not in wrong, (case.name, verdict, wrong)
        if "worse since" in verdict or "overfitting" in verdict:
            assert "short" not in wrong, (case.name, verdict, wrong)
