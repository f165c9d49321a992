"""Asks the terminal whether it draws pictures, and takes its answers out of what is typed.

It is asked while the app runs, when a view with pictures is shown for the first time: nothing waits for the answer,
however far away the terminal is. Every terminal answers the last question, so that it says whether the others are
answered. kitty's own question is an APC string, which some terminals would print, and tmux would take as a title: it
goes only to those that told their version.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from tinygpt_tui import platforms

VERSION, CELL_SIZE, ATTRIBUTES = "\x1b[>0q", "\x1b[16t", "\x1b[c"
KITTY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
SIXEL_ATTRIBUTE = "4"
# They tell a version, but hand kitty's pictures on to no terminal.
MULTIPLEXERS = ("tmux", "screen", "zellij")
ANSWER = re.compile(
    r"\x1b\[\?(?P<attributes>[\d;]*)c"
    r"|\x1b\[6;(?P<height>\d{1,4});(?P<width>\d{1,4})t"
    r"|\x1bP>\|(?P<version>[^\x1b]*)\x1b\\"
    r"|\x1b_G(?P<kitty>[^\x1b]*)\x1b\\"
)
BEGINNING = re.compile(r"\x1b(?:\[\??[\d;]*|P>?\|?[^\x1b]*\x1b?|_G?[^\x1b]*\x1b?)\Z")
HELD_S = 1.0  # after a question the beginning of an answer waits for its rest


class Terminal(NamedTuple):
    """What the terminal answered: how it draws pictures ("kitty", "sixel", "" not at all), and its cells in pixels."""

    protocol: str
    cell: tuple[int, int]


class Questions:
    """Asks by `write`; `heard` gets the result, in the thread that reads the terminal, and again when it changes."""

    def __init__(
        self,
        write: Callable[[str], None],
        heard: Callable[[Terminal], None],
        known_cell: Callable[[], tuple[int, int]] = platforms.cell_pixels,
    ) -> None:
        """`known_cell` returns a cell's size as the system knows it, if the terminal does not tell; or zeros."""
        self._write, self._heard, self._known_cell = write, heard, known_cell
        self._cell, self._version = (0, 0), ""
        self._protocol: str | None = None  # None: not known yet
        self._has_kitty = self._tells_cell = False
        self._asked_at = 0.0
        self._held = ""  # the beginning of an answer

    def ask(self) -> None:
        self._send(VERSION + CELL_SIZE + ATTRIBUTES)

    def ask_size(self) -> None:
        """Ask for the size of a cell again: the font may be another one now."""
        if not self._protocol:
            return
        if self._tells_cell:
            self._send(CELL_SIZE)
        elif self._cell != (cell := self._known_cell()) and all(cell):
            self._cell = cell
            self._heard(Terminal(self._protocol, cell))

    def typed(self, data: str) -> str:
        """Return what the terminal sent without the answers in it."""
        if not self._asked_at:
            return data
        data, self._held = self._held + data, ""
        if time.monotonic() - self._asked_at < HELD_S and (beginning := BEGINNING.search(data)):
            data, self._held = data[: beginning.start()], beginning[0]
        return ANSWER.sub(self._answered, data)

    def _send(self, questions: str) -> None:
        self._asked_at = time.monotonic()
        self._write(questions)

    def _answered(self, answer: re.Match[str]) -> str:
        if answer["version"] is not None:
            self._version = answer["version"]
        elif answer["kitty"] is not None:
            self._has_kitty = answer["kitty"].endswith(";OK")
        elif answer["width"] is not None:
            self._cell, self._tells_cell = (int(answer["width"]), int(answer["height"])), True
            if self._protocol:
                self._heard(Terminal(self._protocol, self._cell))
        elif self._protocol is None:
            self._decide(SIXEL_ATTRIBUTE in answer["attributes"].split(";")[1:])
        return ""

    def _decide(self, has_sixel: bool) -> None:
        if not self._tells_cell:
            self._cell = self._known_cell()
        if not all(self._cell):
            self._protocol = ""  # it is not known how large a picture would be
        elif self._has_kitty:
            self._protocol = "kitty"
        elif has_sixel:
            self._protocol = "sixel"
        elif self._version and not self._version.lower().startswith(MULTIPLEXERS):
            # Once: its own answer is followed by one to the last question again.
            self._version = ""
            self._send(KITTY + ATTRIBUTES)
            return
        else:
            self._protocol = ""
        self._heard(Terminal(self._protocol, self._cell))
