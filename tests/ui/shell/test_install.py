"""Where torch is missing the Train tab says so at the top, and its command can be copied."""

from __future__ import annotations

import sys

import pytest
from textual.widgets import Static
from train_bench import train_tab

from tinygpt_tui.packages import command_in, missing
from tinygpt_tui.runs.index import list_runs
from tinygpt_tui.ui.shared.confirm import ConfirmScreen

pytestmark = pytest.mark.usefixtures("no_shipped_models")


async def test_train_says_it_before_anything_is_filled_in_and_start_offers_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    error = missing("torch", "training")
    assert error is not None
    async with train_tab() as bench:
        assert error.message in bench.text("#form-missing")
        await bench.read()
        await bench.pilot.press("ctrl+g")
        await bench.until(lambda: isinstance(bench.app.screen, ConfirmScreen))
        question = str(bench.app.screen.query_one(Static).content)
        assert error.message in question
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.app.clipboard == command_in(error.hint) != "")
    assert list_runs() == []


async def test_with_torch_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    async with train_tab() as bench:
        assert not bench.form.query_one("#form-missing", Static).display
