"""What the user has, or the program came with, is not replaced unasked: files that were named, and models' names."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from makers import TEXT, make_model, make_run

from tinygpt_tui import paths
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import UsageError
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.runs.manage import duplicate, rename
from tinygpt_tui.ui.train.draft import name_problem

# Every command that writes a file which the user named; {} is its path.
WRITERS = {
    "runs card": ("runs", "card", "cat", "--out", "{}"),
    "race": ("race", "small", "rnn", "--corpus", "{}", "--svg", "{}"),
    "export": ("export", "cat", "{}", "--to", "safetensors"),
    "learn": ("learn", "--report", "{}"),
    "check-device": ("check-device", "--json", "{}"),
}


@pytest.mark.parametrize("words", WRITERS.values(), ids=WRITERS.keys())
def test_a_file_that_is_there_is_replaced_only_with_force(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_model(make_run("cat").model)
    diary = tmp_path / "diary.safetensors"
    diary.write_text(TEXT, encoding="utf-8")
    diary.chmod(0o600)
    assert run([word.replace("{}", str(diary)) for word in words]) == 2
    said = capsys.readouterr().err
    assert "is there already" in said
    assert "--force" in said
    assert diary.read_text(encoding="utf-8") == TEXT


def test_with_force_its_permissions_stay(tmp_path: Path) -> None:
    make_run("cat")
    page = tmp_path / "page.md"
    page.write_bytes(b"")
    page.chmod(0o600)
    assert run(["runs", "card", "cat", "--out", str(page), "--force"]) == 0
    assert page.read_text(encoding="utf-8").startswith("# cat")
    assert os.name != "posix" or stat.S_IMODE(page.stat().st_mode) == 0o600


def test_no_model_takes_the_name_of_one_that_comes_with_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, name = tmp_path / "text.txt", "shakespeare"
    text.write_text(TEXT, encoding="utf-8")
    make_model(paths.models_folder() / "cat")
    make_run("dog")
    assert (paths.shipped_models() / name).is_dir()
    for words in (["train", "--corpus", str(text), "--name", name], ["open", "cat", "--keep", name]):
        assert run(words) == 2
        assert "shakespeare-2 is free" in capsys.readouterr().err
    for change in (rename, duplicate):
        with pytest.raises(UsageError, match="comes with the program"):
            change(find_run("dog").model, name)
    assert "shakespeare-2 is free" in name_problem(name)
    assert not (paths.models_folder() / name).exists()
