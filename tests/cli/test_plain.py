"""Plain mode (`--plain`, or TERM=dumb): one line a fact, nothing drawn, coloured or written over."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from makers import TEXT, make_run

from tinygpt_tui.cli import race
from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.training.run import run_training

DRAWN = re.compile("[\x1b\r\u2500-\u28ff]")  # escapes and rewritten lines; boxes, blocks, braille


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command; returns what it wrote to stdout and stderr, which are a terminal."""

    def run(*arguments: str, term: str = "xterm") -> str:
        monkeypatch.setenv("TERM", term)
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True)
        assert tinygpt(arguments) == (ExitCode.OK if arguments else ExitCode.USAGE)
        return "".join(capsys.readouterr())

    return run


@pytest.fixture
def cat() -> None:
    """A run that has ended."""
    for _ in run_training(make_run("cat").model):
        pass


@pytest.mark.usefixtures("cat")
def test_a_run_is_watched_and_listed_in_lines(shown: Callable[..., str]) -> None:
    assert DRAWN.search(shown("watch", "cat")), "a terminal gets a chart"
    for watched in (shown("watch", "cat", "--plain"), shown("watch", "cat", term="dumb")):
        assert not DRAWN.search(watched)
        facts = r"^step 12/12\ntrain \d\.\d+ \(last 10 steps\)\nvalidation \d\.\d+\nbest \d\.\d+ at \d+\n"
        assert re.search(facts, watched, re.MULTILINE)
        assert "finished at step 12" in watched
        assert "continues" not in watched  # it has ended
    listed = shown("runs", "--plain")
    assert re.search(r"^cat: state finished, step 12/12, best loss \d\.\d+, corpus ", listed, re.MULTILINE)
    assert not DRAWN.search(listed)


def test_where_nothing_can_be_drawn_the_app_says_what_works_there(shown: Callable[..., str]) -> None:
    said = shown(term="dumb")
    assert "TERM=dumb" in said
    assert "`tinygpt-tui generate`" in said


@pytest.mark.usefixtures("cat")
def test_a_race_ends_with_a_line_for_each(
    shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = tmp_path / "cat.txt"
    text.write_text(TEXT * 9, encoding="utf-8")
    history = RunHistory(12)
    history.add(read_journal(find_run("cat").events))
    monkeypatch.setattr(race, "_train", lambda *_: (history, "cat", False))
    monkeypatch.setattr(race, "require", lambda *_: None)
    ended = shown("race", "small", "seconds", "--corpus", str(text), "--plain")
    assert not DRAWN.search(ended)
    assert re.search(r"^seconds: architecture gpt, parameters [\d,]+, steps 12, .*better than ", ended, re.MULTILINE)
