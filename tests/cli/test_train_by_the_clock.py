"""`train --dry-run` says and does not start; `train --minutes` chooses what suits the time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import tinygpt

from tinygpt_tui import paths
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.planning.machine import Machine, save_machine
from tinygpt_tui.runs.index import find_run

pytestmark = pytest.mark.torch


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A text of a few thousand characters, one of which is rare."""
    path = tmp_path / "fox.txt"
    path.write_text("the quick brown fox jumps over the lazy dog.\n" * 200 + "é", encoding="utf-8")
    return path


def test_a_dry_run_says_what_it_would_take_and_starts_nothing(corpus: Path) -> None:
    tiny = ["--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--steps", "200"]
    done = tinygpt("train", "--corpus", corpus, *tiny, "--dry-run", "--threads", "1")
    assert done.returncode == 0, done.stderr
    for words in (
        "parameters",
        "memory",
        "200 steps",
        "epochs",
        "occurs only once (é)",
        "exports: Hugging Face ✓",
    ):
        assert words in done.stdout
    assert not paths.models_folder().exists()


def test_a_dry_run_says_what_is_in_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"line {number}: the old cat sat on the wet mat and saw the moon" for number in range(300)]
    path = tmp_path / "notes.txt"
    path.write_text("\n".join([*lines, "write to jane.doe@example.org", *lines[:20]]))
    flags = ["--corpus", str(path), "--documents", "lines", "--block-size", "8", "--steps", "10"]
    assert run(["train", *flags, "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert any("321 documents are the validation split" in line for line in said)
    assert any(line.startswith("warning: 20 documents of the validation split") for line in said)
    assert any(line.startswith("hint: ") and "1 e-mail address" in line for line in said)
    assert said[-1].endswith(f"doctor --corpus {path}")
    monkeypatch.setattr("tinygpt_tui.cli.train.SURVEYED", 5000)
    assert run(["train", *flags, "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("its first 5,000 characters: 5,000 characters") for line in said)
    assert not any("e-mail" in line for line in said)


def test_minutes_choose_the_net_and_what_is_typed_wins(corpus: Path) -> None:
    save_machine(Machine())  # this machine is known: nothing is measured beforehand
    done = tinygpt(
        "train", "--corpus", corpus, "--minutes", "0.03", "--n-embd", "32", "--threads", "1", "--sample-tokens", "5"
    )
    assert done.returncode == 0, done.stderr
    assert "by the clock" in done.stderr
    settings = find_run("fox").read_settings()
    assert settings.preset == "timed"
    chosen = settings.training
    assert (chosen.minutes, chosen.architecture.n_embd, chosen.architecture.n_layer) == (0.03, 32, 2)
    assert chosen.architecture.dropout > 0  # a small text, read many times
    status = find_run("fox").read_status()
    assert (status.state, status.step) == ("finished", status.steps)


def test_minutes_that_cannot_be(corpus: Path) -> None:
    done = tinygpt("train", "--corpus", corpus, "--minutes", "-1")
    assert done.returncode == ExitCode.USAGE
    assert "minutes: must be at least 0" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--corpus", "b.txt"], "--corpus was given twice"),
        (["--steps", "5", "--minutes", "1"], "both set the end of the run"),
        (["--batch-size", "4", "--batch-size", "8"], "--batch-size was given twice"),
    ],
)
def test_what_would_be_dropped_silently_is_refused(
    corpus: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = run(["train", "--corpus", str(corpus), *arguments, "--dry-run"])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_the_preset_beside_a_starting_model_is_its_recipe(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for more in ([], ["--preset", "nanogpt"]):
        assert run(["train", "--corpus", str(corpus), "--from", "shakespeare", *more, "--dry-run"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] != said[1]
    assert "of 3,072 characters" in said[1]  # 12 windows a step, as the preset has them


def test_the_own_text_is_timed_and_a_dry_run_builds_nothing(corpus: Path) -> None:
    code = (
        "import sys; from tinygpt_tui.cli.main import run;"
        "code = run(sys.argv[1:]); print('torch' in sys.modules, file=sys.stderr); sys.exit(code)"
    )
    huge = ["--preset", "quick", "--n-layer", "48", "--n-embd", "4096"]
    for more, words in (([], "by the clock"), (huge, "GB of memory, you have")):
        command = [sys.executable, "-c", code, "train", "--corpus", str(corpus), "--dry-run", *more]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=240, check=True)
        assert words in done.stdout
        assert done.stderr.strip() == "False"
