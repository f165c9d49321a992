"""tinygpt-tui doctor: findings of a run, or of a text, on stdout."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from makers import TEXT, make_run

from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.events.training import Finding
from tinygpt_tui.training.run import run_training


def test_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    trained = make_run(activation="relu")
    for _ in run_training(trained.model):
        pass
    assert run(["doctor", "cat", "--one-batch"]) == ExitCode.OK
    said = capsys.readouterr()
    for words in (
        "units are never active",
        "can memorise a batch",
        "the untrained model guesses",
        "moves the weights by",
    ):
        assert words in said.out
    assert run(["doctor", "cat", "--json"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    checks = [msgspec.json.decode(line, type=Finding).check for line in lines]
    assert len(checks) == len(set(checks))
    assert {"windows", "split", "repetition", "encoding"} <= set(checks)


def test_of_a_text_with_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "broken.txt"
    text.write_text(TEXT + "caf\u00c3\u00a9 na\u00c3\u00afve\n" + TEXT, encoding="utf-8")
    assert run(["doctor", "--corpus", str(text)]) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out.startswith("! ")
    assert "for 'é'" in said.out
    assert "trigram" in said.err


def test_it_wants_one_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == ExitCode.USAGE
    assert run(["doctor", "shakespeare", "--corpus", "tales"]) == ExitCode.USAGE
