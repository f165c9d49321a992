"""tinygpt-tui calibrate, and the calibration at the end of a training."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from makers import TEXT, make_model, make_run, split

from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.cli.main import run
from tinygpt_tui.corpora.aside import FEWEST, TOO_SHORT, set_aside
from tinygpt_tui.errors import CheckpointError, ExitCode
from tinygpt_tui.events.training import Calibrated, Note, RunEnded, RunStarted, Saved, Step
from tinygpt_tui.generation.calibration import Reliability
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.extending import extended
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.report import RunReport
from tinygpt_tui.training.run import run_training
from tinygpt_tui.workers.calibrator import reliability_of

TRAINED = {"steps": 30, "evaluate_every": 10, "calibration_share": 0.4}


def test_the_end_of_the_training_part_is_not_read() -> None:
    corpus = split(TEXT, 8, 0.1)
    rest, aside = set_aside(corpus, 0.4, 8)
    np.testing.assert_array_equal(np.concatenate([rest.train, aside]), corpus.train)
    assert len(aside) == int(0.4 * len(corpus.train))
    assert rest.validation is corpus.validation
    for share, length in ((0.0, 8), (FEWEST / len(corpus.train) / 2, 8), (0.4, len(corpus.train))):
        same, nothing = set_aside(corpus, share, length)
        assert same is corpus
        assert not len(nothing)


def test_a_run_ends_with_it() -> None:
    trained = make_run(**TRAINED)
    events = list(run_training(trained.model))
    started = next(event for event in events if isinstance(event, RunStarted))
    corpus = split(TEXT, 8, 0.1)
    assert started.train_tokens == len(corpus.train) - int(0.4 * len(corpus.train))
    found, ended = events[-2:]
    assert isinstance(found, Calibrated)
    assert isinstance(ended, RunEnded)
    config = read_config(trained.model)
    assert config.calibration is not None
    assert config.trained is not None
    assert (config.calibration.logit_scale, config.trained.validation_loss) == (
        found.logit_scale,
        found.validation_loss,
    )
    assert found.tokens == int(0.4 * len(corpus.train)) - 1
    assert found.validation_loss != ended.best_loss
    history = RunHistory()
    history.add(events)
    assert "calibrated: logits ×" in history.log[-2]
    assert dict(RunReport(trained).rows())["calibrated"].startswith("logits ×")

    # Continued without better weights it stays as it was; with better ones it is calibrated again.
    settings = extended(trained, "+10")
    again = list(run_training(trained.model, settings=settings))
    better = Saved(40, "best") in again
    assert any(isinstance(event, Calibrated) for event in again) == better
    history.add(again)
    assert history.calibrated is not None
    assert read_config(trained.model).calibration is not None


@pytest.mark.parametrize("error", [CheckpointError("its config is gone"), MemoryError("no room")], ids=type)
def test_a_calibration_that_fails_leaves_a_finished_run(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def failing(*_: object) -> Iterator[None]:
        yield from ()
        raise error

    monkeypatch.setattr("tinygpt_tui.training.run.calibrating", failing)
    trained = make_run(**TRAINED)
    note, ended = list(run_training(trained.model))[-2:]
    assert isinstance(note, Note)
    assert note.text.startswith(f"not calibrated: {error}; later: ")
    assert isinstance(ended, RunEnded)
    assert ended.reason == "finished"
    assert read_config(trained.model).calibration is None


def judged(steps: Generator[float, None, Reliability]) -> int:
    """Return how many tokens `steps` read."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return int(end.value.tokens.sum())


def test_a_long_text_is_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = make_run(**{**TRAINED, "calibration_share": 0.0})
    list(run_training(trained.model))
    everything = judged(reliability_of(trained.model))
    monkeypatch.setattr("tinygpt_tui.workers.calibrator.MOST_JUDGED", everything // 3)
    monkeypatch.setattr("tinygpt_tui.foreign.losses.MOST_NUMBERS", 1)
    assert everything / 4 < judged(reliability_of(trained.model)) < everything / 2


def test_a_stop_comes_first_and_a_short_text_has_none() -> None:
    short = list(run_training(make_run("short", TEXT[:2000], calibration_share=0.1).model))
    assert TOO_SHORT in [event.text for event in short if isinstance(event, Note)]
    assert not any(isinstance(event, Calibrated) for event in short)
    stopped = make_run("stopped", **TRAINED)
    for event in run_training(stopped.model):
        if isinstance(event, Step) and event.step == 12:
            Control(stopped.control).send("stop")
    resumed = list(run_training(stopped.model))
    assert isinstance(resumed[-2], Calibrated)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    trained = make_run(**TRAINED | {"calibration_share": 0.0})
    for _ in run_training(trained.model):
        pass
    before = read_config(trained.model)
    assert run(["calibrate", "cat", "--dry-run"]) == ExitCode.OK
    said = capsys.readouterr()
    assert "every second window" in said.err
    assert "accuracy" in said.out
    assert read_config(trained.model) == before

    assert run(["calibrate", "cat", "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    after = read_config(trained.model)
    assert after.calibration is not None
    assert after.calibration.logit_scale == found["logit_scale"]
    assert found["before"]["accuracy"] == found["after"]["accuracy"]
    assert after.trained is not None
    assert before.trained is not None
    assert after.trained.validation_loss < before.trained.validation_loss

    # The factor is measured on the weights as they were trained: once more gives the same one.
    assert run(["calibrate", "cat", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["logit_scale"] == pytest.approx(found["logit_scale"])
    assert run(["doctor", "cat"]) == ExitCode.OK
    assert "of the time" in capsys.readouterr().out


def test_what_cannot_be_calibrated(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "shakespeare"]) == ExitCode.USAGE
    assert "--dry-run" in capsys.readouterr().err
    make_model(home / "models" / "letters")
    assert run(["calibrate", "letters"]) == ExitCode.USAGE
    assert "--corpus FILE" in capsys.readouterr().err
    text = home / "text.txt"
    text.write_text("abcdefgh ijk\n" * 300, encoding="utf-8")
    assert run(["calibrate", "letters", "--corpus", str(text)]) == ExitCode.OK
    config = read_config(home / "models" / "letters")
    assert config.calibration is not None
    assert config.calibration.text.endswith("of another text: every second window")
    assert config.trained is not None
    assert config.trained.validation_loss == 1.5
