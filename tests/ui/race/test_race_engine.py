"""The Race tab with the real engine process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.race.screen import RaceScreen


@pytest.fixture(autouse=True)
def needs_a_model() -> None:
    """Skip where no model comes with the program."""
    if not Path(paths.shipped_models() / "shakespeare" / "weights.safetensors").is_file():
        pytest.skip("no shipped model")


async def test_twins_stream_together_and_a_killed_engine_takes_no_text_along() -> None:
    app = TinyGPTApp()
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("f4")
        await wait_until(pilot, lambda: isinstance(app.screen, RaceScreen) and app.screen.is_mounted)
        screen = app.screen
        assert isinstance(screen, RaceScreen)
        race = screen.race
        await wait_until(pilot, lambda: all(lane.contender.model for lane in race.lanes))
        for index in range(2):
            sampling = race.lanes[index].contender.sampling
            race.set_sampling(index, type(sampling)(max_new_tokens=100_000, seed=7))
        await pilot.press(*"ROMEO:", "enter")
        await wait_until(pilot, lambda: all(lane.writing.tokens > 20 for lane in race.lanes))
        assert race.busy
        assert race.first_difference is not None
        assert {lane.writing.seed for lane in race.lanes} == {7}
        assert app.engine.pid is not None
        os.kill(app.engine.pid, signal.SIGKILL)
        await wait_until(pilot, lambda: not race.busy)
        assert all("the engine process ended" in pane.note for pane in screen.panes)
        kept = [lane.text for lane in race.lanes]
        assert all(len(text) > 20 for text in kept)
        await pilot.press("enter")
        await wait_until(pilot, lambda: all(lane.writing.tokens > 20 for lane in race.lanes))
        for before, lane in zip(kept, race.lanes, strict=True):
            assert lane.text[:20] == before[:20]
        await pilot.press("escape")
        await wait_until(pilot, lambda: not race.busy)
        assert all("stopped" in str(pane.border_subtitle) for pane in screen.panes)
    await app.engine.close()
