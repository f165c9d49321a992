"""How soon the app is on the screen, against an empty Textual app with as many widgets.

Both are started in turn as processes in a pseudo-terminal; the clock runs from the start of the process until a word
of the finished screen has been written to the terminal. `python benchmarks/first_paint.py [ROUNDS]`
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time

SIZE = (40, 140)  # rows, columns
APP = "from tinygpt_tui.ui.app import run; run()"
COUNT = """
import asyncio
from tinygpt_tui.ui.app import TinyGPTApp
async def main():
    app = TinyGPTApp()
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        print("WIDGETS", len(list(app.screen.walk_children())), flush=True)
asyncio.run(main())
"""
EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        for number in range({count} - 1):
            yield Static()
        yield Static("PAINTED")
    CSS = "Static {{ height: auto; }} Static:last-of-type {{ dock: bottom; }}"
Empty().run()
"""


def seconds_until(code: str, word: bytes, environment: dict[str, str]) -> float:
    """Start Python with `code` in a pseudo-terminal; return the seconds until it has written `word`."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", code], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    seen = b""
    try:
        while word not in seen:
            if not select.select([terminal], [], [], 30)[0]:
                raise TimeoutError(f"{word!r} never came; the end of what did: {seen[-500:]!r}")
            seen += os.read(terminal, 65536)
        return time.perf_counter() - began
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def main() -> None:
    """Print the medians and their ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "TINYGPT_TUI_HOME": home, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        os.environ["TINYGPT_TUI_HOME"] = home
        count = int(os.popen(f"{sys.executable} -c '{COUNT}'").read().split()[-1])
        empty, ours = [], []
        for number in range(rounds + 1):
            pair = (
                seconds_until(EMPTY.format(count=count), b"PAINTED", environment),
                seconds_until(APP, b"temperature", environment),
            )
            if number:  # the first round warms the disk's cache
                empty.append(pair[0])
                ours.append(pair[1])
    print(f"{count} widgets, {rounds} rounds in turn, 140x40")
    print(f"empty Textual app  {statistics.median(empty):.3f} s")
    print(f"tinygpt-tui        {statistics.median(ours):.3f} s")
    print(f"ratio              {statistics.median(a / b for a, b in zip(ours, empty, strict=True)):.2f}")


if __name__ == "__main__":
    main()
