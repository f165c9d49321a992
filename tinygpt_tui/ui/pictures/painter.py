"""Paints pictures over the cells of the views in front, after each update of the screen.

A picture is painted when it is new, has changed or was written over, and taken away when its view is no longer seen or
something covers it, such as a notification. Views know nothing of that.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.screen import Screen
from textual.widget import Widget

from tinygpt_tui.ui.pictures.answers import Terminal
from tinygpt_tui.ui.pictures.view import Picture, PictureView

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

# Between two paintings of one picture, and in multiples of what the last one took: while a run trains, its curve
# changes many times a second.
AGAIN_S, AGAIN_TIMES = 0.25, 10
SAVE, RESTORE = "\x1b7", "\x1b8"  # the cursor

Slot = tuple[Widget, int]  # a view, and which of its pictures


@dataclass
class Painted:
    """A picture on the screen: where, which one, how (for sixels, which have to be repeated), since when, its cost."""

    region: Region
    key: Hashable
    sequence: str
    number: int
    at: float
    cost_s: float


class Painter:
    """Shows the pictures of views; `ask` is called when the first one is seen, and `set_terminal` with the answer."""

    def __init__(
        self, write: Callable[[str], None], ask: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._ask, self._clock = write, ask, clock
        self._terminal: Terminal | None = None
        self._asked = self._waits = False
        self._painted: dict[Slot, Painted] = {}
        self._numbers = count(1 + int(time.time() * 1000) % (1 << 24) * 16)  # not those of another program

    def set_terminal(self, terminal: Terminal, screen: Screen[object]) -> None:
        """Paint from now on, if the terminal can."""
        self._terminal = terminal
        self._painted.clear()
        if terminal.protocol:
            for view, _ in _views(screen):
                view.use_pixels(terminal.cell)
                view.refresh()

    def after_update(self, screen: Screen[object], update: object) -> None:
        """Paint what is missing; `update` is what was just written."""
        terminal = self._terminal
        if terminal is None:
            if not self._asked and any(True for _ in _views(screen)):
                self._asked = True
                self._ask()
            return
        if not terminal.protocol:
            return
        wanted: dict[Slot, tuple[Region, Picture]] = {}
        for view, region in _views(screen):
            if view.cell_pixels != terminal.cell:
                view.use_pixels(terminal.cell)
                view.refresh()
            for number, picture in enumerate(view.pictures()):
                place = picture.region.translate(view.content_region.offset)
                if place and region.contains_region(place) and not _is_covered(screen, view, place):
                    wanted[view, number] = place, picture
        for slot in [slot for slot in self._painted if slot not in wanted]:
            self._take_away(slot, screen)
        for slot, (place, picture) in wanted.items():
            self._paint(slot, place, picture, update)

    def _take_away(self, slot: Slot, screen: Screen[object]) -> None:
        gone = self._painted.pop(slot)
        if self._terminal is not None and self._terminal.protocol == "kitty":
            from tinygpt_tui.ui.pictures import kitty

            self._write(kitty.delete(gone.number))
        elif slot[0].is_attached and slot[0].screen is screen:
            slot[0].refresh()  # its cells are written over the picture

    def _paint(self, slot: Slot, place: Region, picture: Picture, update: object) -> None:
        assert self._terminal is not None
        before = self._painted.get(slot)
        is_kitty = self._terminal.protocol == "kitty"
        is_there = before is not None and before.region == place
        lost = isinstance(update, LayoutUpdate) if is_kitty else _touches(update, place)
        if before is not None and is_there and before.key == picture.key:
            if lost:
                self._put(place, before.sequence)
            return
        now = self._clock()
        if before is not None and is_there:
            pause_s = max(AGAIN_S, AGAIN_TIMES * before.cost_s)
            if now - before.at < pause_s:
                if lost:
                    self._put(place, before.sequence)
                self._wait(slot[0].app, pause_s)
                return
        from tinygpt_tui.ui.pictures import kitty, sixel  # with numpy, which the first screen does without

        pixels = picture.draw(self._terminal.cell)
        number = next(self._numbers) if before is None else before.number
        sequence = kitty.place(pixels, number, place.width, place.height) if is_kitty else sixel.encode(pixels)
        self._painted[slot] = Painted(place, picture.key, sequence, number, now, self._clock() - now)
        self._put(place, sequence)

    def _wait(self, app: App[object], seconds: float) -> None:
        """Look again after a time; the views are not drawn again for it."""

        def paint_again() -> None:
            self._waits = False
            if app.screen_stack:
                self.after_update(app.screen, None)

        if not self._waits:
            self._waits = True
            app.set_timer(seconds, paint_again)

    def _put(self, place: Region, sequence: str) -> None:
        self._write(f"{SAVE}\x1b[{place.y + 1};{place.x + 1}H{sequence}{RESTORE}")


def _views(screen: Screen[object]) -> Iterator[tuple[_View, Region]]:
    """Yield the views with pictures on a screen, and which region of it each may paint on."""
    for widget, (region, clip) in screen._compositor.visible_widgets.items():
        if isinstance(widget, PictureView):
            yield widget, region.intersection(clip)  # type: ignore[misc]


def _is_covered(screen: Screen[object], view: Widget, place: Region) -> bool:
    """Whether another widget is drawn over a part of a view."""
    for widget, (region, clip) in screen._compositor.visible_widgets.items():  # the uppermost first
        if widget is view:
            return False
        if region.intersection(clip).overlaps(place) and view not in widget.ancestors:
            return True
    return True


def _touches(update: object, place: Region) -> bool:
    """Whether an update of the screen wrote into `place`."""
    if isinstance(update, ChopsUpdate):
        return any(place.y <= y < place.bottom and x1 < place.right and x2 > place.x for y, x1, x2 in update.spans)
    if isinstance(update, LayoutUpdate):
        return update.region.overlaps(place)
    return isinstance(update, CompositorUpdate)


if TYPE_CHECKING:

    class _View(PictureView, Widget):
        pass
