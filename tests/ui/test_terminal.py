"""The app in a real terminal: tmux, both sizes, the keyboard alone, a real engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from makers import wait_until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not on this machine")
PATIENCE_S = 240.0


class Terminal:
    """A tmux session of its own server; what it shows, and keys for it."""

    def __init__(self, socket: str, command: str, size: tuple[int, int], home: Path) -> None:
        self._tmux = ["tmux", "-L", socket, "-f", os.devnull]
        width, height = size
        environment = {**os.environ, "TERM": "xterm-256color", "TINYGPT_TUI_HOME": str(home), "LANG": "C.UTF-8"}
        subprocess.run(
            [
                *(*self._tmux, "new-session", "-d", "-s", "app", "-x", str(width), "-y", str(height), command),
                # What the app said last stays to be read when it ends by itself.
                *(";", "set-option", "-g", "remain-on-exit", "on"),
            ],
            env=environment,
            check=True,
        )

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux's names for them."""
        subprocess.run([*self._tmux, "send-keys", "-t", "app", *keys], check=True)

    def shows(self) -> str:
        """Return the screen as text; empty when the session is over."""
        done = subprocess.run(
            [*self._tmux, "capture-pane", "-p", "-t", "app"], capture_output=True, encoding="utf-8", check=False
        )
        return done.stdout

    def wait(self, condition: Callable[[str], object]) -> str:
        """Look until the screen fulfils `condition`; return it. Fails, with the screen, when patience ends."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            screen = self.shows()
            if condition(screen):
                return screen
            time.sleep(0.05)  # between two looks, not instead of one
        raise AssertionError(f"the screen never came to it:\n{self.shows()}")

    def close(self) -> None:
        """End the server and all in it."""
        asked = [*self._tmux, "list-panes", "-t", "app", "-F", "#{pane_pid}"]
        pid = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)
        wait_until(lambda: not psutil.pid_exists(int(pid)))  # the app does not outlive its terminal


@pytest.fixture(params=[(80, 24), (140, 40)], ids=["80x24", "140x40"])
def terminal(request: pytest.FixtureRequest, home: Path) -> Iterator[Terminal]:
    """The app as `python -m tinygpt_tui` opens it."""
    size: tuple[int, int] = request.param
    found = Terminal(f"tinygpt-{os.getpid()}-{size[0]}", f"{sys.executable} -m tinygpt_tui", size, home)
    yield found
    found.close()


def test_enter_writes_and_the_keyboard_alone_does_it(terminal: Terminal) -> None:
    first = terminal.wait(lambda screen: "Generate" in screen and "shakespeare" in screen)
    assert "Traceback" not in first
    terminal.keys("-l", "ROMEO:")
    terminal.keys("Enter")
    written = terminal.wait(lambda screen: re.search(r"500-token limit", screen))
    assert "ROMEO:" in written
    terminal.keys("M-4")  # Alt and a digit
    terminal.wait(lambda screen: "▌Runs" in screen)
    terminal.keys("C-q")
    terminal.wait(lambda screen: "Generate" not in screen)
