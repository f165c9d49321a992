"""The Generate tab with the real engine process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from textual.widgets import Input
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.generate.status_line import StatusLine

LENGTH = "#sampling-max_new_tokens"


@pytest.fixture(autouse=True)
def needs_a_model() -> None:
    """Skip where no model comes with the program."""
    if not Path(paths.shipped_models() / "shakespeare" / "weights.safetensors").is_file():
        pytest.skip("no shipped model")


async def test_stop_continue_and_the_next_enter_after_the_engine_was_killed() -> None:
    app = TinyGPTApp()
    async with app.run_test(size=(140, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, GenerateScreen)
        await wait_until(pilot, lambda: screen.pane.output.border_title == "shakespeare" and screen.query(LENGTH))
        screen.query_one(LENGTH, Input).value = "100000"
        await pilot.press(*"ROMEO:", "enter")
        await wait_until(pilot, lambda: len(screen.pane.output.text) > 20)
        await pilot.press("escape")
        await wait_until(pilot, lambda: not screen.pane.writing.busy)
        stopped = screen.pane.output.text
        assert stopped.startswith("ROMEO:")
        assert "stopped" in screen.query_one(StatusLine).render().plain
        await pilot.press("ctrl+g")
        await wait_until(pilot, lambda: len(screen.pane.output.text) > len(stopped))
        assert screen.pane.output.text.startswith(stopped)
        assert app.engine.pid is not None
        os.kill(app.engine.pid, signal.SIGKILL)
        await wait_until(pilot, lambda: not screen.pane.writing.busy)
        assert len(screen.pane.output.text) > len(stopped)
        assert "failed: the engine process ended" in screen.query_one(StatusLine).render().plain
        failed = screen.pane.writing
        await pilot.press("enter")
        await wait_until(pilot, lambda: screen.pane.writing is not failed and screen.pane.writing.tokens > 5)
        assert screen.pane.output.text.startswith("ROMEO:")
    await app.engine.close()
