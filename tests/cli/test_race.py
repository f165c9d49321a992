"""`tinygpt-tui race` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinygpt_tui.cli.main import run
from tinygpt_tui.runs.index import list_runs

pytestmark = pytest.mark.torch

TEXT = "".join(f"the {a} fox jumps over the {b} dog.\n" for a in ("quick", "old") for b in ("lazy", "wet", "new")) * 40


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "fox.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def test_several_are_trained_and_told_apart(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "race.svg"
    assert run(["race", "mlp", "small", "--corpus", text, "--steps", "4", "--svg", str(picture)]) == 0
    shown = capsys.readouterr().out
    rows = [line for line in shown.splitlines() if line.startswith(("mlp", "small"))]
    assert len(rows) == 2
    assert all(" 4 " in row for row in rows)
    assert "unigram" in shown  # a yardstick, on the chart or in the table
    assert "mlp" in picture.read_text(encoding="utf-8")
    assert {card.name for card in list_runs()} >= {"race-mlp", "race-small"}


def test_tokenizers_are_compared_per_character(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["race", "mlp", "mlp@bpe:280", "--corpus", text, "--steps", "2", "--json"]) == 0
    plain, pairs = json.loads(capsys.readouterr().out)
    assert (plain["tokenizer"], plain["characters_per_token"]) == ("characters", 1.0)
    assert (pairs["tokenizer"], pairs["model"]) == ("bpe:280", "race-mlp-bpe-280")
    assert pairs["characters_per_token"] > 2
    assert pairs["validation_loss"] < plain["validation_loss"]  # of untrained models, whose tokens are longer
    assert run(["race", "small", "small@bpe:7", "--corpus", text]) == 2
    assert "256 to 65,536" in capsys.readouterr().err


def test_results_as_json_and_nothing_else_on_stdout(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["race", "ladder", "--corpus", text, "--steps", "1", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [result["name"] for result in results][:2] == ["one-head", "heads"]
    assert results[0]["target"] == 2.5
    assert all(result["steps"] == 1 and result["validation_loss"] > 0 for result in results)


def test_one_alone_is_no_race(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["race", "small", "--corpus", text]) == 2
    assert "two" in capsys.readouterr().err
    assert run(["race", "small", "rnn", "--corpus", text, "--steps", "-1"]) == 2
