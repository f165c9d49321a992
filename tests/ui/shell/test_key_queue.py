"""What is typed behind a key that opens something is for what it opens."""

from __future__ import annotations

import pytest
from fakes import FakeEngine
from generate_bench import Bench, opened
from textual import events
from textual.widgets import Input
from wait import PATIENCE_S

from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.shared.choose_file import ChooseFileScreen
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell import key_queue

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def type_at_once(bench: Bench, *keys: str) -> None:
    """Press keys as a terminal sends them that was held up: all in one turn."""
    driver = bench.app._driver
    assert driver is not None
    for key in keys:
        event = events.Key(key, key if len(key) == 1 else None)
        event.set_sender(bench.app)
        driver.send_message(event)


async def test_a_path_typed_behind_the_keys_that_open_a_dialog_in_another_tab_is_in_its_box(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_queue, "PATIENCE_S", PATIENCE_S)  # a busy machine may take longer than a user should wait
    async with opened(size=(80, 24)) as bench:
        type_at_once(bench, "f3", "alt+o", *"diary")
        await bench.until(lambda: isinstance(bench.app.screen, ChooseFileScreen))
        await bench.until(lambda: bench.app.screen.query_one("#path", Input).value == "diary")


async def test_a_key_whose_widget_goes_holds_up_no_other() -> None:
    async with opened(size=(80, 24)) as bench:
        type_at_once(bench, "f1", "escape", *"ab")
        await bench.until(lambda: bench.screen.query_one(PromptBox).text == "ab")


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_key_without_a_screen_is_dropped(forwarded: bool) -> None:
    app = TinyGPTApp(FakeEngine())  # not running: no screen is on the stack, as while it starts and ends
    key = events.Key("a", "a")
    if forwarded:  # by a widget to the app
        key._set_forwarded()
    await app.on_event(key)
