"""The app started as the command starts it: `run_test`, which all other tests use, sets no task factory.

From Python 3.12 on Textual's `run` sets an eager one, under which the first screen is composed before it is on the
stack (Textualize/textual#6444): an Input in it ended the start.
"""

from __future__ import annotations

import asyncio

import pytest
from fakes import FakeEngine
from textual.pilot import Pilot
from wait import wait_until

from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.tabs import TABS

pytestmark = pytest.mark.usefixtures("no_shipped_models")


async def test_the_app_starts_and_all_tabs_open_in_the_order_of_tasks_that_the_tests_have() -> None:
    loop, visited = asyncio.get_running_loop(), []

    async def visit(pilot: Pilot[None]) -> None:
        assert loop.get_task_factory() is None
        for tab in TABS.values():
            await pilot.press(tab.keys.split(",")[0])
            await wait_until(pilot, lambda: pilot.app.screen.is_mounted and pilot.app.screen.is_current)
            visited.append(pilot.app.current_mode)
        pilot.app.exit()

    app = TinyGPTApp(FakeEngine())
    try:
        await app.run_async(headless=True, size=(100, 30), auto_pilot=visit)
    finally:
        loop.set_task_factory(None)
    assert app.return_code == 0
    assert visited == [*TABS]
