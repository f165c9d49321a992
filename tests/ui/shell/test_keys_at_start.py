"""A key that is pressed before the app has read what it needs acts as soon as it has."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakes import FakeEngine, make_model
from textual import events
from textual.widgets import Input
from wait import AppInUse

from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.store import SessionStore
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.requests import FEW
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.models.model_list import ModelList
from tinygpt_tui.ui.race.screen import RaceScreen
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell import key_queue


class Start:
    """The app while it starts: the disk answers when the test lets it."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.disk = threading.Event()

    def behind(self, read: Callable[..., Any]) -> Callable[..., Any]:
        """Return what reads, made to wait for the disk."""

        def wait_and_read(*arguments: Any) -> Any:
            self.disk.wait()
            return read(*arguments)

        return wait_and_read

    @asynccontextmanager
    async def app(self) -> AsyncIterator[AppInUse]:
        app = TinyGPTApp(self.engine)
        async with app.run_test(size=(80, 24)) as pilot:
            try:
                yield AppInUse(app, pilot)
            finally:
                self.disk.set()  # the threads end

    def type(self, app: TinyGPTApp | Any, *keys: str) -> None:
        """Press keys without waiting for the app, as the terminal sends them."""
        for key in keys:
            event = events.Key(key, key if len(key) == 1 else None)
            event.set_sender(app)
            app.post_message(event)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    start = Start()
    monkeypatch.setattr(ModelList, "refresh", start.behind(ModelList.refresh))
    monkeypatch.setattr(SessionStore, "cards", start.behind(SessionStore.cards))
    yield start
    start.disk.set()


def written(start: Start, app: Any) -> bool:
    return [asked.prompt for asked in start.engine.asked] == ["ROMEO:"]


def short(start: Start, app: Any) -> bool:
    return written(start, app) and start.engine.asked[0].sampling.max_new_tokens == FEW


def reopened(start: Start, app: Any) -> bool:
    return isinstance(app.screen, GenerateScreen) and app.screen.pane.output.text == "Now is the winter of our"


def shared(start: Start, app: Any) -> bool:
    prompts = app.screen.query(PromptBox)  # none before the screen is composed
    return isinstance(app.screen, RaceScreen) and any(prompt.text == "ROMEO:" for prompt in prompts)


# Ctrl+J is what the terminal makes of Enter before it is the app's.
ACTS = {"enter": written, "ctrl+j": written, "f5": short, "ctrl+g": reopened, "f4": shared}


@pytest.mark.parametrize("key", ACTS)
@pytest.mark.parametrize("stage", ["before the first picture", "while the disk is read"])
async def test_a_key_of_the_first_screen_acts_once_it_can(start: Start, key: str, stage: str) -> None:
    store = SessionStore()
    store.save(tree.append(tree.add_root(store.new(), "Now is", model="one"), 0, " the winter of our", 18))
    load = TinyGPTApp.on_load
    with pytest.MonkeyPatch.context() as patch:
        if stage == "before the first picture":
            patch.setattr(TinyGPTApp, "on_load", lambda app: (load(app), start.type(app, key)))
        async with start.app() as app:
            if stage == "while the disk is read":
                start.type(app.app, key)
            await app.pilot.pause()
            assert not start.engine.asked
            start.disk.set()
            await app.until(lambda: ACTS[key](start, app.app))


async def test_text_is_shown_at_once_and_only_the_key_behind_it_waits(start: Start) -> None:
    async with start.app() as app:
        start.type(app.app, *"To", "ctrl+j", *"be", "enter", *"!")
        screen = app.app.screen
        assert isinstance(screen, GenerateScreen)
        await app.until(lambda: screen.pane.prompt.text == "To")
        assert not start.engine.asked
        start.disk.set()
        await app.until(lambda: screen.pane.prompt.text == "To\nbe!")
        assert [asked.prompt for asked in start.engine.asked] == ["To\nbe"]


async def test_a_card_that_is_clicked_acts_once_it_can(start: Start) -> None:
    async with start.app() as app:
        await app.pilot.click("#welcome", offset=(12, 4))
        start.disk.set()
        await app.until(lambda: written(start, app.app))


async def test_enter_behind_the_key_of_a_tab_is_for_what_it_lists(start: Start, no_shipped_models: None) -> None:
    make_model("one")
    async with start.app() as app:
        start.disk.set()
        await app.until(lambda: app.app.screen.known.is_set())  # type: ignore[attr-defined]
        start.disk.clear()
        start.type(app.app, "f4", *"Once", "enter")
        await app.until(lambda: isinstance(app.app.screen, RaceScreen) and "Once" in app.shown)
        start.disk.set()
        await app.until(lambda: {asked.prompt for asked in start.engine.asked} == {"Once"})


async def test_a_disk_that_does_not_answer_holds_up_one_key_only(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_queue, "READING_S", 0.01)
    async with start.app() as app:
        start.type(app.app, "enter", "ctrl+t")
        await app.until(lambda: "still being read" in app.notes)
        await app.until(lambda: isinstance(app.app.focused, Input))
        assert not start.engine.asked
