"""The benchmarks as commands: `python -m benchmarks.train` and its like."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from makers import TEXT, make_model, tiny_gpt

from benchmarks import train, window
from benchmarks.command import execute
from tinygpt_tui.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]


def bench(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=240, check=False)


def test_window_prints_every_policy_and_json_agrees(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, corpus = tmp_path / "cat", tmp_path / "cat.txt"
    make_model(folder, tiny_gpt(vocab_size=13))
    corpus.write_text("a b c d e f g h i j k\n" * 40, encoding="utf-8")
    done = bench("window", folder, "--corpus", corpus)
    assert done.returncode == 0, done.stderr
    assert "cat on cat" in done.stdout
    assert "reanchor" in done.stdout
    assert execute(window, [str(folder), "--corpus", str(corpus), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["finished"] is True
    for row in report["rows"]:
        assert f"{row['loss']:.4f}" in done.stdout


def test_window_mixes_models_of_one_vocabulary_that_learn(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "cat.txt"
    corpus.write_text("a b c d e f g h i j k\n" * 40, encoding="utf-8")
    for seed, name in enumerate(("one", "two")):
        make_model(tmp_path / name, tiny_gpt(vocab_size=13), seed)
    make_model(tmp_path / "other", tiny_gpt(vocab_size=12))
    mixed = [str(tmp_path / "one"), "--corpus", str(corpus), "--with", str(tmp_path / "two")]
    assert execute(window, [*mixed, "--adapt", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"] == "one and two"
    assert report["finished"] is True
    assert execute(window, mixed) == ExitCode.USAGE
    assert "add --adapt" in capsys.readouterr().err
    assert execute(window, [*mixed[:-1], str(tmp_path / "other"), "--adapt"]) == ExitCode.USAGE
    assert "other has another vocabulary than one" in capsys.readouterr().err


def test_a_model_of_an_unknown_text_wants_one_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cat"
    make_model(folder)  # trained on "letters", which is no corpus
    assert execute(window, [str(folder)]) == ExitCode.NOT_FOUND
    assert "letters" in capsys.readouterr().err
    assert execute(window, ["shakespeare", "--characters", "0"]) == ExitCode.USAGE
    assert "not at least 1" in capsys.readouterr().err


def test_train_prints_one_object_with_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = tmp_path / "cat.txt"
    corpus.write_text(TEXT, encoding="utf-8")
    done = bench("train", "--corpus", corpus, "--only", "1.88", "--seeds", "1", "--steps", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert "seed 1 of 1: plain" in done.stderr
    report = json.loads(done.stdout)
    assert report["finished"] is True
    assert [(row["name"], len(row["runs"])) for row in report["goals"]] == [("plain", 1), ("1.88", 1)]
    assert report["goals"][1]["ratio"]["median"] > 0
    assert execute(train, ["--only", "1.89"]) == ExitCode.USAGE
    assert "1.89 is none of loop, 1.88" in capsys.readouterr().err
