"""What the tests of the app share: only the models of the test's own home are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tinygpt_tui import paths
from tinygpt_tui.ui.shared.permits import FULL


@pytest.fixture(scope="session", autouse=True)
def style_sheets_read_once() -> Iterator[None]:
    """Share what was parsed: every test opens an app of its own, and all of them have the same style sheets.

    Each widget asks of all rules whether they are in a set: by their identity, as before, but not in Python.
    """
    parse, known = Stylesheet._parse_rules, dict[Any, list[RuleSet]]()

    def parse_once(sheet: Stylesheet, css: str, read_from: Any, *rest: Any, **named: Any) -> list[RuleSet]:
        key = (css, read_from, rest, *named.items(), *sheet._variables.items())
        if key not in known:
            known[key] = parse(sheet, css, read_from, *rest, **named)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        patch.setattr(RuleSet, "__hash__", object.__hash__)
        yield


@pytest.fixture
def no_shipped_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the models that come with the program."""
    monkeypatch.setattr(paths, "shipped_models", lambda: tmp_path / "nothing shipped")


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everything shown at once: the tests are many, and draw as fast as they can."""
    monkeypatch.setattr("tinygpt_tui.ui.jobs.draw_pace.DrawPace.rest_s", lambda pace: 0.0)


@pytest.fixture(autouse=True)
def first_text_at_full_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no text wait: every test has a home of its own, and with it a first text."""
    monkeypatch.setattr("tinygpt_tui.ui.shared.pacer.FIRST", FULL)


@pytest.fixture(autouse=True)
def nothing_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the machine alone: measuring it takes a process and seconds, and every test has a home of its own."""
    monkeypatch.setattr("tinygpt_tui.ui.train.form.Measurer.measure", lambda self: False)
