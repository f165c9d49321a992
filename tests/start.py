"""Start the app in a real pseudo-terminal, use it, and quit: `python tests/start.py`.

Not collected by pytest: it needs only the program's own dependencies without torch, so that tests/pythons.py can run
it on every Python that the machine has.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from tinygpt_tui.sessions.store import SessionStore
from tinygpt_tui.ui.tabs import TABS

PATIENCE_S = 240.0
SIZE = (30, 100)  # lines, columns
PROGRAM = [sys.executable, "-m", "tinygpt_tui"]
PROMPT = "ROMEO:"
KEYS = {"enter": "\r", "f3": "\x1bOR", "f4": "\x1bOS", "f7": "\x1b[18~", "f10": "\x1b[21~", "ctrl+q": "\x11"}
# Everything but text: cursor movements, colours, questions to the terminal.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P_^X].*?(?:\x07|\x1b\\)|[ -/]*[0-~])", re.DOTALL)


class Terminal:
    """The app in a pseudo-terminal of its own."""

    def __init__(self, home: Path) -> None:
        self._output = b""
        self._process, self._side = pty.fork()
        if self._process == 0:
            os.environ.update(TERM="xterm-256color", LANG="C.UTF-8", TINYGPT_TUI_HOME=str(home))
            os.execv(PROGRAM[0], PROGRAM)
        termios.tcsetwinsize(self._side, SIZE)

    def press(self, keys: str) -> None:
        """Send keys; `shown` begins again, with what they do."""
        self._output = b""
        os.write(self._side, keys.encode())

    @property
    def shown(self) -> str:
        """What the app wrote since the last keys, without escape sequences."""
        return ESCAPES.sub("", self._output.decode("utf-8", "replace"))

    def wait(self, *words: str) -> None:
        """Read until all `words` are shown. Raises AssertionError when the app ends, or after a minute."""
        until = time.monotonic() + PATIENCE_S
        while any(word not in self.shown for word in words):
            assert self._read(until), f"{words} not shown; the last output:\n{self.shown[-5000:]}"

    def exit_status(self) -> int:
        """Read until the app ends; return its exit status. Raises AssertionError after a minute."""
        until = time.monotonic() + PATIENCE_S
        while self._read(until):
            pass
        assert time.monotonic() < until, f"still running; the last output:\n{self.shown[-5000:]}"
        return os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])

    def close(self) -> None:
        """Close the terminal: an app that is still running gets SIGHUP."""
        os.close(self._side)

    def _read(self, until: float) -> bool:
        """Read what is there; return False at the end of the app, or when `until` has come."""
        if not select.select([self._side], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        try:
            more = os.read(self._side, 1 << 16)
        except OSError:  # Linux raises EIO where other systems return nothing: the app has ended
            return False
        self._output += more
        return bool(more)


def use_the_app(home: Path) -> str:
    """Generate a text, open every tab, quit; return how long it took. Raises AssertionError."""
    terminal = Terminal(home)
    started = time.monotonic()
    try:
        terminal.wait("Generate", "shakespeare")
        first = time.monotonic() - started
        terminal.press(PROMPT + KEYS["enter"])
        terminal.wait("500-token limit")
        written = time.monotonic() - started
        for tab in [*TABS.values()][1:]:
            terminal.press(KEYS[tab.keys.split(",")[0]])
            terminal.wait(f"▌{tab.title}")
        terminal.press(KEYS["ctrl+q"])
        status = terminal.exit_status()
        assert status == 0, f"exit status {status}; the last output:\n{terminal.shown[-5000:]}"
    finally:
        terminal.close()
    log = home / "logs" / "app.log"
    assert not log.exists(), log.read_text(encoding="utf-8")
    return f"first screen after {first:.1f} s, 500 tokens after {written:.1f} s"


def main() -> None:
    """Use the app; the text that it saved must be the one that the command line writes with the same seed."""
    with tempfile.TemporaryDirectory() as name:
        took = use_the_app(Path(name))
        store = SessionStore(Path(name) / "sessions")
        (branch,) = store.load(store.cards()[0].id).branches.values()
        command = [*PROGRAM, "generate", "shakespeare", "--prompt", PROMPT, "--seed", str(branch.seed)]
        text = subprocess.run(
            command,
            env={**os.environ, "TINYGPT_TUI_HOME": name},
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ).stdout
    assert branch.tokens == 500, branch
    assert text.rstrip("\n") == branch.text.rstrip("\n"), f"the app wrote\n{branch.text}\nthe command line\n{text}"
    print(f"{sys.implementation.name} {sys.version.split()[0]}: {took}, all tabs, exit status 0")


if __name__ == "__main__":
    main()
