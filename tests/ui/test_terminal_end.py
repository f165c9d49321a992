"""However the app's terminal or the app itself ends: text is saved, the engine ends, and the terminal is left clean."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tinygpt_tui.errors import ExitCode
from tinygpt_tui.sessions.document import full_text
from tinygpt_tui.sessions.store import SessionStore

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

import fcntl
import pty
import struct
import termios

PATIENCE_S = 240.0
START = "from tinygpt_tui.__main__ import main; raise SystemExit(main())"
IGNORE_HANGUP = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {START}"
ALTERNATE_SCREEN, MOUSE, CURSOR = b"\x1b[?1049", b"\x1b[?1003", b"\x1b[?25"


class PtyApp:
    """The app as a process in a pseudo-terminal of its own."""

    def __init__(self, code: str, home: Path) -> None:
        self._main, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.said = b""
        self._hung_up = threading.Event()
        self._process = subprocess.Popen(
            # The first lines make the pseudo-terminal the controlling one, so that its end sends SIGHUP.
            [sys.executable, "-c", f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{code}"],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "TINYGPT_TUI_HOME": str(home), "LANG": "C.UTF-8"},
        )
        os.close(inner)
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # Never in a read that waits: it would keep the terminal open after it was closed.
        with contextlib.suppress(OSError):
            while not self._hung_up.is_set():
                if select.select([self._main], [], [], 0.05)[0]:
                    self.said += os.read(self._main, 1 << 16)

    def keys(self, typed: bytes) -> None:
        """Type."""
        os.write(self._main, typed)

    def wait(self, condition: Callable[[], object]) -> None:
        """Return when `condition` holds."""
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, self.said[-3000:].decode(errors="replace")
            assert self._process.poll() is None, self.said[-3000:].decode(errors="replace")
            time.sleep(0.02)  # between two looks, not instead of one

    def hang_up(self) -> None:
        """Close the terminal."""
        self._hung_up.set()
        self._reader.join()
        os.close(self._main)

    def ended(self) -> int:
        """Wait for the app's end; return its exit status."""
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        """End it all."""
        self._process.kill()
        self._process.wait()
        if not self._hung_up.is_set():
            self.hang_up()


@pytest.fixture
def open_app(home: Path) -> Iterator[Callable[[str], PtyApp]]:
    """Open the app by some Python code."""
    opened: list[PtyApp] = []

    def start(code: str) -> PtyApp:
        opened.append(PtyApp(code, home))
        return opened[-1]

    yield start
    for app in opened:
        app.close()


def start_writing(app: PtyApp) -> list[psutil.Process]:
    """Have the app write; return the processes it started."""
    app.wait(lambda: b"Generate" in app.said and b"shakespeare" in app.said)
    app.keys(b"ROMEO:\r")
    app.wait(lambda: b"tok" in app.said)
    children = psutil.Process(app.pid).children(recursive=True)
    assert children
    return children


def saved_text() -> str:
    """Return the text that is in the one session on the disk."""
    store = SessionStore()
    (card,) = store.cards()
    session = store.load(card.id)
    assert session.current is not None
    return full_text(session, session.current)


def check_ended(children: list[psutil.Process]) -> None:
    """Check that the text was saved and that nothing is left of the app."""
    assert saved_text().startswith("ROMEO:")
    _, alive = psutil.wait_procs(children, PATIENCE_S)
    assert not alive


def check_clean(said: bytes) -> None:
    """Check that the last word on each mode of the terminal was to turn it back."""
    for mode, last in ((ALTERNATE_SCREEN, b"l"), (MOUSE, b"l"), (CURSOR, b"h")):
        at = said.rindex(mode) + len(mode)
        assert said[at : at + 1] == last


@pytest.mark.parametrize("code", [START, IGNORE_HANGUP], ids=["hangup", "no hangup"])
def test_an_app_without_its_terminal_ends(open_app: Callable[[str], PtyApp], code: str) -> None:
    app = open_app(code)
    children = start_writing(app)
    app.hang_up()
    assert app.ended() == 128 + signal.SIGHUP
    check_ended(children)


def test_a_signal_quits_the_app_in_order(open_app: Callable[[str], PtyApp]) -> None:
    app = open_app(START)
    children = start_writing(app)
    os.kill(app.pid, signal.SIGTERM)
    assert app.ended() == 128 + signal.SIGTERM
    check_ended(children)
    check_clean(app.said)


BROKEN = f"""
from tinygpt_tui.ui.app import TinyGPTApp
def broken(app): raise RuntimeError("no one expected this")
TinyGPTApp.action_night = broken
{START}
"""


def test_an_unexpected_error_leaves_a_clean_terminal_and_the_text(open_app: Callable[[str], PtyApp]) -> None:
    app = open_app(BROKEN)
    children = start_writing(app)
    app.keys(b"\x0e")  # ctrl+n
    assert app.ended() == 1
    check_ended(children)
    check_clean(app.said)
    assert b"no one expected this" in app.said.split(ALTERNATE_SCREEN)[-1]


def test_text_that_cannot_be_saved_is_asked_about_and_told_after_the_end(
    open_app: Callable[[str], PtyApp], home: Path
) -> None:
    home.mkdir()
    (home / "sessions").write_text("a file where the folder should be")
    app = open_app(START)
    start_writing(app)
    app.wait(lambda: b"not saved" in app.said)
    asked_at = len(app.said)
    app.keys(b"\x11")  # ctrl+q
    app.wait(lambda: b"Quit anyway" in app.said[asked_at:])
    app.keys(b"\x1b[Z")  # shift+tab: Enter alone stays
    app.keys(b"\r")
    assert app.ended() == ExitCode.STORAGE
    check_clean(app.said)
    last_words = app.said.split(ALTERNATE_SCREEN)[-1]
    assert b"sessions" in last_words
    assert b"Traceback" not in last_words
