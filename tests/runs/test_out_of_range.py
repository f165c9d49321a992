"""A number that cannot be is damage of one line of a journal, not of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from makers import make_run

from tinygpt_tui import paths
from tinygpt_tui.cli.main import run as command
from tinygpt_tui.events.training import RunEnded, RunStarted, Step
from tinygpt_tui.events.wire import to_line
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.index import list_runs
from tinygpt_tui.runs.journal import read_journal

GOOD = (
    RunStarted(1.7e9, 0, 9, 1000, 900, 100, "cpu", 1),
    Step(1, 2.0, 1e-3, 1.0, 100.0, 1.0),
    RunEnded(1.7e9, 9, "finished", 9, 1.5, 9.0),
)
EXTREMES = (1e300, -1e300, 1e18, -1, 2**63, 10**40, -(10**40))


def _extreme_lines() -> list[bytes]:
    """Each number of each event in turn, far out of what it can be."""
    lines = []
    for event in GOOD:
        plain = json.loads(to_line(event))
        for name, value in plain.items():
            if isinstance(value, int | float):
                lines += [json.dumps({**plain, name: extreme}).encode() + b"\n" for extreme in EXTREMES]
    return lines


def test_all_that_shows_a_run_lives_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run("cat")
    run.events.write_bytes(b"".join([*map(to_line, GOOD[:2]), *_extreme_lines(), to_line(GOOD[2])]))
    read = read_journal(run.events)
    assert (read[:2], read[-1]) == (list(GOOD[:2]), GOOD[-1])
    assert not [event for event in read if isinstance(event, RunStarted | RunEnded) and not 0 <= event.time < 1e11]
    for words in (["runs"], ["runs", "card", "cat"], ["doctor", "cat"]):
        assert command(words) == 0
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [("settings", "created", 1e300), ("status", "time", -1e300), ("status", "pid", 10**30), ("status", "step", -5)],
)
def test_a_run_whose_files_hold_one_says_what_is_wrong(
    file: str, field: str, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("cat")
    status = {"state": "running", "step": 1, "steps": 9, "pid": 1, "pid_created": 0.0, "time": 1.7e9}
    run.status.write_text(json.dumps(status), encoding="utf-8")
    path: Path = getattr(run, file)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), field: value}), encoding="utf-8")
    (card,) = [card for card in list_runs() if card.name == "cat"]
    assert f"{file}.json is damaged" in card.message
    assert command(["runs"]) == 0
    assert "cat" in capsys.readouterr().out


@pytest.mark.parametrize("file", ["settings", "status", "events"])
def test_whatever_a_file_of_one_run_holds_the_others_are_listed(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    make_run("dog")
    run = make_run("cat")
    for content in (b"[" * 100_000, b"\xff\xfe", b"{}", b"null\n", b'{"a":' * 50_000):
        getattr(RunFolder(paths.models_folder() / "cat"), file).write_bytes(content)
        assert {"cat", "dog"} <= {card.name for card in list_runs()}
        assert command(["runs"]) == 0
        assert "dog" in capsys.readouterr().out
    assert run.model.is_dir()
