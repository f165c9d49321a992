"""Pictures over a view: painted when they are new, changed or written over; gone with the view, and when covered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import pytest
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widgets import Static
from wait import wait_until

from tinygpt_tui.ui.pictures.answers import Terminal
from tinygpt_tui.ui.pictures.painter import AGAIN_S, Painter
from tinygpt_tui.ui.pictures.pixels import Pixels
from tinygpt_tui.ui.pictures.view import Picture, PictureView

LAYOUT = LayoutUpdate([], Region(0, 0, 40, 12))


def chops(y: int, start: int, end: int) -> ChopsUpdate:
    return ChopsUpdate([], [(y, start, end)], [])


class View(PictureView, Static):
    DEFAULT_CSS = "View { width: 20; height: 6; padding: 1; }"
    key: Hashable = "first"

    def pictures(self) -> Sequence[Picture]:
        return [Picture(Region(0, 0, 4, 2), self.key, draw)]


class Bench(App[None]):
    CSS = "#over { layer: above; offset: 2 1; width: 4; height: 3; display: none; } Screen { layers: below above; }"
    now = 0.0

    def __init__(self, protocol: str) -> None:
        super().__init__()
        self.written: list[str] = []
        self.asked = 0
        self.terminal = Terminal(protocol, (10, 20))
        self.painter = Painter(self.written.append, self.ask, lambda: self.now)

    def ask(self) -> None:
        self.asked += 1

    def compose(self) -> ComposeResult:
        yield View()
        yield Static(id="over")

    def after(self, update: object) -> list[str]:
        """Return what is written after an update: placed where, or deleted."""
        self.written.clear()
        self.painter.after_update(self.screen, update)
        return [text[2:8] if "H" in text[:9] else "gone" for text in self.written]


def draw(cell: tuple[int, int]) -> Pixels:
    import numpy as np

    return np.full((2 * cell[1], 4 * cell[0], 4), 255, dtype=np.uint8)


PLACE = "\x1b[2;2H"


@pytest.mark.parametrize("protocol", ["kitty", "sixel"])
async def test_a_picture_is_where_its_view_is_and_as_long(protocol: str) -> None:
    app = Bench(protocol)
    async with app.run_test(size=(40, 12)) as pilot:
        view, is_kitty = app.query_one(View), protocol == "kitty"
        assert (app.after(LAYOUT), app.after(LAYOUT), app.asked) == ([], [], 1)
        app.painter.set_terminal(app.terminal, app.screen)
        assert view.cell_pixels == (10, 20)
        assert app.after(chops(0, 0, 40)) == [PLACE]
        assert ("\x1bP0;1;0q" in app.written[0]) != is_kitty
        assert app.after(chops(0, 0, 40)) == []  # beside it
        assert app.after(chops(2, 3, 9)) == ([] if is_kitty else [PLACE])  # over it: sixels are gone
        assert app.after(LAYOUT) == [PLACE]

        view.key = "second"
        assert app.after(chops(0, 0, 40)) == []  # not twice within a moment, but soon, by itself
        app.now += AGAIN_S
        await wait_until(pilot, lambda: bool(app.written))
        assert app.written[0][2:8] == PLACE
        assert app.after(chops(0, 0, 40)) == []

        hide: Callable[[bool], None] = lambda shown: setattr(app.query_one("#over"), "display", shown)  # noqa: E731
        hide(True)
        await pilot.pause()
        assert app.after(chops(0, 0, 40)) == (["gone"] if is_kitty else [])
        assert app.after(chops(2, 3, 9)) == []
        hide(False)
        await pilot.pause()
        assert app.after(chops(0, 0, 40)) == [PLACE]

        await app.push_screen(ModalScreen())
        assert app.after(LAYOUT) == (["gone"] if is_kitty else [])
        await app.pop_screen()
        await pilot.pause()
        assert app.after(LAYOUT) == [PLACE]
        view.remove()
        await pilot.pause()
        assert app.after(LAYOUT) == (["gone"] if is_kitty else [])


async def test_a_terminal_without_pictures_gets_none() -> None:
    app = Bench("")
    async with app.run_test(size=(40, 12)):
        app.after(LAYOUT)
        app.painter.set_terminal(app.terminal, app.screen)
        assert (app.after(LAYOUT), app.asked, app.query_one(View).cell_pixels) == ([], 1, None)
