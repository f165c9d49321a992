"""The pictures of an app in a real terminal: what asks, what listens, and what paints, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual._xterm_parser import XTermParser
from textual.driver import Driver

from tinygpt_tui.ui.pictures.answers import Questions, Terminal
from tinygpt_tui.ui.pictures.painter import Painter
from tinygpt_tui.ui.shell.unexpected import log_unexpected

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message


class TerminalPictures:
    """Made while the app's loop runs; a fault in a picture ends the pictures, not the app."""

    def __init__(self, app: App[Any], driver: Driver) -> None:
        self._app, self._loop = app, asyncio.get_running_loop()
        self._questions = Questions(driver.write, self._heard)
        self._painter: Painter | None = Painter(driver.write, self._questions.ask)
        _take_out_answers(XTermParser, self._questions)

    def after_update(self, update: object) -> None:
        """Paint what is missing after an update of the screen was written."""
        if self._painter is None or not self._app.screen_stack:
            return
        try:
            self._painter.after_update(self._app.screen, update)
        except Exception as error:
            self._painter = None
            self._app.notify(log_unexpected(error), severity="error", markup=False)

    def resized(self) -> None:
        """Ask for the size of a cell again: a terminal of another size may have another font."""
        self._questions.ask_size()

    def _heard(self, terminal: Terminal) -> None:  # in the thread that reads the terminal
        with suppress(RuntimeError):  # the loop is closed: the app ends
            self._loop.call_soon_threadsafe(self._app.call_later, self._use_terminal, terminal)

    def _use_terminal(self, terminal: Terminal) -> None:
        if self._painter is not None and self._app.screen_stack:
            self._painter.set_terminal(terminal, self._app.screen)


def _take_out_answers(parser: type[XTermParser], questions: Questions) -> None:
    """Have the parser of what the terminal sends not see the answers to questions that are not its own."""
    feed = parser.feed

    def feed_rest(self: XTermParser, data: str) -> Iterable[Message]:
        rest = questions.typed(data) if data else data
        return feed(self, rest) if rest or not data else ()

    parser.feed = feed_rest  # type: ignore[method-assign]
