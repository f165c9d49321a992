"""What the doctor says of curves: each complaint where it belongs, and none of a good run."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.doctor.curves import curve_findings, other_rate
from tinygpt_tui.doctor.examination import Examination
from tinygpt_tui.doctor.rounds import findings_of, summary
from tinygpt_tui.events.training import Evaluation, Finding, RunEnded, RunStarted, Step
from tinygpt_tui.paths import shipped_models
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings

FLOORS = [Floor("guessing", 0, 4.17), Floor("unigram", 1, 3.35), Floor("bigram", 2, 2.48), Floor("5-gram", 5, 1.56)]
SETTINGS = TrainingSettings(architecture=GPTSettings(vocab_size=65), steps=1000, learning_rate=3e-3)


def a_run(losses: np.ndarray, every: int = 100, validation: np.ndarray | None = None, norm: float = 0.5) -> RunHistory:
    """A run whose training loss is given for each step, and its validation loss likewise."""
    validation = losses if validation is None else validation
    history = RunHistory(steps=len(losses))
    history.add([RunStarted(0.0, 0, len(losses), 1, 1, 1, "cpu", 1), Evaluation(0, 4.17, 4.17, 0, 4.17, 0.1)])
    for step in range(1, len(losses) + 1):
        history.add([Step(step, losses[step - 1], 1e-3, norm, 1.0, 1.0)])
        if step % every == 0:
            seen = validation[every - 1 : step : every]
            best = int(np.argmin(seen))
            mean = float(losses[step - every : step].mean())
            history.add([Evaluation(step, float(validation[step - 1]), mean, (best + 1) * every, seen[best], 0.1)])
    return history


def falling(steps: int = 1000, to: float = 1.5) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.05, steps)
    return to + (4.17 - to) * np.exp(-np.arange(steps) / 150) + noise


def found(history: RunHistory, settings: TrainingSettings = SETTINGS) -> dict[str, Finding]:
    return {finding.check: finding for finding in curve_findings(history, settings, FLOORS)}


def test_a_good_run_is_fine() -> None:
    assert {check: finding.level for check, finding in found(a_run(falling())).items()} == {
        "initial-loss": "fine",
        "rate": "fine",
        "stuck": "fine",
    }


@pytest.mark.parametrize(
    "name", ["shakespeare", "shakespeare-small", "shakespeare-senses", "shakespeare-rnn", "tales", "tales-chat"]
)
def test_the_shipped_runs_are_fine(name: str) -> None:
    run = RunFolder(shipped_models() / name)
    history = RunHistory()
    history.add(read_journal(run.events))
    for finding in curve_findings(history, run.read_settings().training, FLOORS):
        assert finding.level in ("fine", "hint"), finding


@pytest.mark.parametrize(("loss", "level"), [(11.2, "warning"), (1.0, "bad"), (4.2, "fine")])
def test_the_untrained_model(loss: float, level: str) -> None:
    history = RunHistory()
    history.add([Evaluation(0, loss, loss, 0, loss, 0.1)])
    assert found(history)["initial-loss"].level == level


def test_a_loss_that_jumps_has_too_high_a_rate() -> None:
    losses = falling()
    losses[600:] += 1.0
    finding = found(a_run(losses))["rate"]
    assert finding.level == "warning"
    assert "near step 6" in finding.text
    assert finding.remedy == {"learning_rate": "0.001"}
    losses[700:] -= 1.0
    assert found(a_run(losses))["rate"].level == "hint"


def test_a_loss_that_blew_up() -> None:
    history = a_run(falling(200))
    history.add([RunEnded(0.0, 200, "failed", 200, 3.0, 1.0, "NaN", cause="diverged")])
    finding = found(history)["rate"]
    assert (finding.level, finding.step) == ("bad", 200)
    assert finding.remedy


@pytest.mark.parametrize(("norm", "rate"), [(0.1, "0.009"), (5.0, "0.001")])
def test_stuck_at_counting_letters(norm: float, rate: str) -> None:
    finding = found(a_run(np.full(1000, 3.35), norm=norm))["stuck"]
    assert finding.level == "warning"
    assert finding.remedy == {"learning_rate": rate}


def test_learning_by_heart() -> None:
    steps = np.arange(1000)
    validation = falling() + np.maximum(0, steps - 400) / 1000
    finding = found(a_run(falling() - steps / 1000, validation=validation))["overfitting"]
    assert finding.level == "warning"
    assert finding.remedy == {"dropout": "0.1"}
    much = msgspec.structs.replace(SETTINGS, architecture=GPTSettings(dropout=0.4))
    remedy = found(a_run(falling() - steps / 1000, validation=validation), much)["overfitting"].remedy
    assert remedy == {"steps": str(finding.step)}
    by_the_clock = msgspec.structs.replace(much, minutes=3.0)
    remedy = found(a_run(falling() - steps / 1000, validation=validation), by_the_clock)["overfitting"].remedy
    assert remedy == {"steps": str(finding.step), "minutes": "0"}  # or the clock would decide


@pytest.mark.parametrize(("loss", "level"), [(2.6, "fine"), (5.5, "hint")])
def test_a_run_that_starts_from_a_model_need_not_guess(loss: float, level: str) -> None:
    history = RunHistory()
    history.add([Evaluation(0, loss, loss, 0, loss, 0.1)])
    finding = next(iter(curve_findings(history, SETTINGS, FLOORS, "shakespeare")))
    assert (finding.check, finding.level) == ("initial-loss", level)
    assert "shakespeare" in finding.text


def test_a_run_that_ended_too_soon() -> None:
    losses = 4.17 - np.arange(1000) / 500
    history = a_run(losses)
    history.add([RunEnded(0.0, 1000, "finished", 1000, 2.17, 1.0)])
    assert found(history)["short"].remedy == {"steps": "2000"}
    by_the_clock = msgspec.structs.replace(SETTINGS, minutes=1.5)
    assert found(history, by_the_clock)["short"].remedy == {"minutes": "3"}


def test_rates_that_follow_the_first_stay_so() -> None:
    settings = msgspec.structs.replace(SETTINGS, learning_rate=0.9, embedding_rate=0.0, head_rate=0.3)
    assert other_rate(settings, 3) == {"learning_rate": "1", "head_rate": "0.9"}


def test_the_rounds_bring_the_worst_first_and_the_newest_word_on_each() -> None:
    history = a_run(falling())
    history.add([Finding(100, "dead-units", "warning", "9 units"), Finding(200, "dead-units", "hint", "1 unit")])
    examination = Examination(floors=FLOORS, findings=[Finding(0, "replacement", "warning", "lost signs", place=3)])
    findings = findings_of(history, SETTINGS, examination)
    assert [finding.check for finding in findings][:2] == ["replacement", "dead-units"]
    assert findings[1].text == "1 unit"
    assert summary(findings) == "2 to look at, 3 fine"
    assert summary([]) == "no findings yet"
