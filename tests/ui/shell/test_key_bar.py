"""The bar of keys: what it shows, what a click does, and that it stays one widget while keys come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from wait import wait_until

from tinygpt_tui.ui.shell.key_bar import MORE, KeyBar


class Keys(App[None]):
    """Three keys: the second can be taken away, the third is there and refused."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "first", "First", tooltip="does the first"),
        Binding("b", "second", "Second", tooltip="does the second"),
        Binding("c", "third", "Third", tooltip="refused"),
        Binding("d", "first", "Same", tooltip="another key for the first"),
        Binding("e", "unseen", "Unseen", show=False),
    ]

    second = True

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.bells = 0

    def compose(self) -> ComposeResult:
        yield KeyBar()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "third":
            return None
        return self.second if action == "second" else True

    def bell(self) -> None:
        self.bells += 1

    def action_first(self) -> None:
        self.done.append("first")

    def action_second(self) -> None:
        self.done.append("second")


@asynccontextmanager
async def opened(width: int = 40) -> AsyncIterator[tuple[Keys, KeyBar, Pilot[None]]]:
    app = Keys()
    async with app.run_test(size=(width, 5)) as pilot:
        bar = app.screen.query_one(KeyBar)
        await wait_until(pilot, lambda: descriptions(bar)[:1] == ["First"])
        yield app, bar, pilot


def descriptions(bar: KeyBar) -> list[str]:
    return [key.description for key in bar.keys if key.description in ("First", "Second", "Third", "Same", "Unseen")]


def line(app: Keys) -> str:
    return app.screen._compositor.render_strips()[-1].text.rstrip()


def cells(app: Keys, text: str) -> Iterator[int]:
    at = line(app).index(text)
    return iter(range(at, at + len(text)))


async def test_keys_come_and_go_in_one_widget() -> None:
    async with opened() as (app, bar, pilot):
        assert line(app).startswith("a First b Second c Third")
        assert "Same" not in line(app)
        assert "Unseen" not in line(app)
        app.second = False
        app.refresh_bindings()
        app.screen.refresh_bindings()
        await wait_until(pilot, lambda: line(app).startswith("a First c Third"))
        assert app.screen.query_one(KeyBar) is bar
        assert not bar.children


async def test_a_click_presses_the_key_and_a_refused_one_only_rings() -> None:
    async with opened() as (app, _, pilot):
        for x in cells(app, "b Second"):
            await pilot.mouse_down(KeyBar, offset=(x, 0))
        await wait_until(pilot, lambda: app.done == ["second"] * len("b Second"))
        await pilot.mouse_down(KeyBar, offset=(next(cells(app, "c Third")), 0))
        await wait_until(pilot, lambda: app.bells == 1)
        await pilot.mouse_down(KeyBar, offset=(39, 0))
        assert len(app.done) == len("b Second")


async def test_each_key_has_its_own_tooltip() -> None:
    async with opened() as (app, bar, pilot):
        for text, tooltip in (("First", "does the first"), ("Second", "does the second"), ("Third", "refused")):
            await pilot.hover(KeyBar, offset=(next(cells(app, text)), 0))
            assert bar.tooltip == tooltip
        await pilot.hover(KeyBar, offset=(39, 0))
        assert bar.tooltip is None


async def test_keys_that_do_not_fit_are_whole_or_not_there_and_the_wheel_shows_them() -> None:
    async with opened(width=20) as (app, bar, pilot):
        await wait_until(pilot, lambda: line(app) == f"a First b Second {MORE}")
        bar.post_message(events.MouseScrollDown(bar, 1, 0, 0, 1, 0, False, False, False))
        await wait_until(pilot, lambda: line(app).startswith("b Second c Third"))
