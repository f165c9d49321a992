"""`tinygpt-tui runs`: the list, and what can be done with one."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from makers import make_run

from tinygpt_tui import paths
from tinygpt_tui.cli.main import run
from tinygpt_tui.events.training import Evaluation, RunStarted, Step
from tinygpt_tui.exports import tensorboard
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import Journal


@pytest.fixture
def cat() -> Path:
    """A training of two steps."""
    folder = make_run()
    journal = Journal(folder.events)
    journal.append([RunStarted(1.0, 0, 12, 54_977, 900, 100, "cpu", 1), Evaluation(0, 4.0, 4.0, 0, 4.0, 0.1)])
    journal.append([Step(1, 3.5, 1e-3, 0.5, 100.0, 2.0), Step(2, 3.0, 1e-3, 0.5, 100.0, 4.0)])
    journal.append([Evaluation(2, 2.5, 3.2, 2, 2.5, 0.1)])
    journal.close()
    return folder.model


def test_the_list_tells_the_best_loss(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs"]) == run(["runs", "list"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("cat "))
    assert "2.5000" in line


def test_a_card_to_share(cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "card", "cat"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("# cat\n")
    assert run(["runs", "card", "cat", "--out", str(tmp_path / "cat.svg")]) == 0
    assert (tmp_path / "cat.svg").read_text(encoding="utf-8").startswith("<svg")
    assert run(["runs", "card", "dog"]) == 3


def test_two_compared_renamed_and_deleted(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run("dog", n_embd=32)
    assert run(["runs", "compare", "cat", "dog"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["n", "embd", "16", "32"] in lines
    assert ["best", "validation", "loss", "2.5000"] in lines
    assert run(["runs", "rename", "cat", "dog"]) == 7
    assert run(["runs", "rename", "cat", "bird"]) == 0
    assert run(["runs", "delete", "bird"]) == 0
    assert sorted(folder.name for folder in paths.models_folder().iterdir()) == [".trash", "dog"]


def test_tensorboard_is_written_by_its_own_writer(
    cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            self.folder = folder

        def add_event(self, event: Any) -> None:
            written.append(event)

        def close(self) -> None:
            written.append(self.folder)

    class Summary(types.SimpleNamespace):
        Value = types.SimpleNamespace

    monkeypatch.setattr(tensorboard, "_parts", lambda: (Writer, types.SimpleNamespace, Summary))
    assert run(["runs", "export", "cat", "--to", "tensorboard", str(tmp_path / "board")]) == 0
    assert written[-1] == str(tmp_path / "board")
    values = [(event.step, event.summary.value[0].tag, event.summary.value[0].simple_value) for event in written[:-1]]
    assert (2, "loss/validation", 2.5) in values
    assert (1, "loss/train", 3.5) in values
    assert "10 values" in capsys.readouterr().err
    assert [event.wall_time for event in written[:-1]] == sorted(event.wall_time for event in written[:-1])


def test_trackio_is_told_the_same_by_its_own_functions(
    cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setenv("TRACKIO_DIR", "elsewhere")

    def init(**about: Any) -> None:
        print("a greeting")
        told.append((os.environ["TRACKIO_DIR"], about["project"], about["name"], about["config"]["steps"]))

    fake = types.SimpleNamespace(
        init=init,
        log=lambda values, step: told.append((step, values)),
        finish=lambda: told.append("finished"),
    )
    monkeypatch.setitem(sys.modules, "trackio", fake)  # type: ignore[arg-type]
    assert run(["runs", "export", "cat", "--to", "trackio", str(tmp_path / "board")]) == 0
    assert told[0][:3] == (str(tmp_path / "board"), RunFolder(cat).read_settings().corpus.name, "cat")
    assert (2, {"loss/validation": 2.5}) in told
    assert told[-1] == "finished"
    out, err = capsys.readouterr()
    assert (out, "10 values" in err) == ("", True)
    monkeypatch.setitem(sys.modules, "trackio", None)
    assert run(["runs", "export", "cat", "--to", "trackio", str(tmp_path)]) == 11
    assert "install trackio" in capsys.readouterr().err


def test_where_tensorboard_is_missing_it_says_how_to_get_it(
    cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert run(["runs", "export", "cat", "--to", "tensorboard", str(tmp_path)]) == 11
    assert "install tensorboard" in capsys.readouterr().err
