"""The end of the terminal, or of the process, before the user has quit: signals, hang-ups, output that fails.

A terminal can go away without a signal (SIGHUP is ignored under nohup, or never sent). Its input is then at its end
for ever, which Textual's input thread reads in a busy loop, and a write fails, which ends Textual's output thread:
the app would wait for it for ever.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from types import FrameType
from typing import IO, Any

from rich.console import Console

from tinygpt_tui import platforms

LOOK_EVERY_S = 0.25
LAST_RESORT_S = 10.0  # for the app to end in order; then the process ends whatever it waits for
GRACE_S = 0.5  # for the process to end once the app has
SIGNALLED = 128  # and the signal's number: the exit status of what a signal ended, as shells count
HUNG_UP = SIGNALLED + 1

PLAIN_TERMINALS = ("linux", "dumb")  # some print the questions
FEW_COLOURS = ("standard", "windows", None)  # Rich's names of palettes of sixteen colours, and of none

Leave = Callable[[int], None]  # quits with an exit status; for any thread


def has_few_colours() -> bool:
    """Whether the terminal has at most 16 colours: the shades of a theme would fall together."""
    return not os.environ.get("TEXTUAL_COLOR_SYSTEM") and Console(force_terminal=True).color_system in FEW_COLOURS


def let_alt_have_digits(sequences: MutableMapping[str, Any]) -> None:
    """Have Alt and a digit arrive as such.

    Textual's table of what terminals send has them as the characters that Option types on a Mac: ¡ for Alt+1.
    """
    for digit in range(10):
        sequences.pop(f"\x1b{digit}", None)


def may_draw_pictures(no_color: bool) -> bool:
    """Whether it is worth asking the terminal for pictures: without colours there are none."""
    return not no_color and os.environ.get("TERM", "") not in PLAIN_TERMINALS


class TolerantOutput:
    """A text file whose writes do not fail: what a terminal that is gone should have shown is dropped."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        with contextlib.suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with contextlib.suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()


@contextlib.contextmanager
def leaving_in_order(leave: Leave) -> Iterator[None]:
    """Have `leave` called when a signal asks the process to end, and when its terminal is gone.

    Signals that were ignored when the process started stay ignored.
    """
    over = threading.Event()
    leave_once = _Once(leave, over)

    def on_signal(number: int, frame: FrameType | None) -> None:
        leave_once(SIGNALLED + number)

    watch = threading.Thread(target=_watch, args=(leave_once, over), name="terminal-watch", daemon=True)
    watch.start()
    try:
        with platforms.handling_signals([*platforms.STOP_SIGNALS, platforms.HANG_UP], on_signal):
            yield
    finally:
        over.set()
        watch.join()


class _Once:
    """Calls `leave` the first time, and ends the process where that does not."""

    def __init__(self, leave: Leave, over: threading.Event) -> None:
        self._leave, self._over = leave, over
        self._called = False

    def __call__(self, status: int) -> None:
        if self._called:
            return
        self._called = True
        threading.Thread(target=self._last_resort, args=(status,), daemon=True).start()
        self._leave(status)

    def _last_resort(self, status: int) -> None:
        if self._over.wait(LAST_RESORT_S):
            if status != HUNG_UP:
                return
            # Textual's threads may wait for a terminal that is gone, and the interpreter for them.
            time.sleep(GRACE_S)
        os._exit(status)


def _watch(leave: Leave, over: threading.Event) -> None:
    if not os.isatty(0):  # the app is shown in a browser, through pipes
        return
    while not over.wait(LOOK_EVERY_S):
        if platforms.terminal_is_gone():
            _let_go()
            leave(HUNG_UP)
            return


def _let_go() -> None:
    """Put the null device in the place of a terminal that is gone, so that nothing fails or waits there."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
