"""How soon the app is on the screen, against empty Textual apps with as many widgets.

One of these has plain texts, the other the same kinds of Textual's widgets (an Input costs more than a text). All are
started in turn as processes in a pseudo-terminal; the clock runs from the start of the process until the first picture
has been written to it. `python benchmarks/first_paint.py [ROUNDS]`
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

SIZE = (40, 140)  # rows, columns
APP = "from tinygpt_tui.__main__ import main; main()"
# What the app's first screen is made of: Textual's own class behind each widget, and how many there are.
COUNT = """
import asyncio, collections, json
from tinygpt_tui.ui.app import TinyGPTApp
async def main():
    app = TinyGPTApp()
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        kinds = collections.Counter()
        for widget in app.screen.walk_children():
            kind = next(k for k in type(widget).__mro__ if k.__module__.startswith("textual."))
            kinds[kind.__module__ + ":" + kind.__qualname__] += 1
        print("KINDS", json.dumps(kinds), flush=True)
asyncio.run(main())
"""
EMPTY = """
from importlib import import_module
from textual.app import App
from textual.widgets import Static, Footer
kinds = {kinds!r}
class Empty(App):
    CSS = "* {{ height: auto; }} #last {{ dock: bottom; }}"
    def compose(self):
        for name, count in kinds.items():
            module, kind = name.split(":")
            for number in range(count - (kind == "Static")):
                yield getattr(import_module(module), kind)()
        yield Static("PAINTED", id="last")
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
        printed = subprocess.run(
            [sys.executable, "-c", COUNT], capture_output=True, encoding="utf-8", check=True
        ).stdout
        kinds: dict[str, int] = json.loads(printed.split("KINDS")[1])
        # Keys of the footer need a binding each; as plain texts they cost about the same.
        kinds["textual.widgets._static:Static"] += kinds.pop("textual.widgets._footer:FooterKey", 0)
        count = sum(kinds.values())
        programs = {
            "as many plain texts": (EMPTY.format(kinds={"textual.widgets._static:Static": count}), b"PAINTED"),
            "as many of the same kinds": (EMPTY.format(kinds=kinds), b"PAINTED"),
            "tinygpt-tui": (APP, b"sampling"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in programs}
        for number in range(rounds + 1):
            for name, (code, word) in programs.items():
                taken = seconds_until(code, word, environment)
                if number:  # the first round warms the disk's cache
                    seconds[name].append(taken)
    print(
        f"{count} widgets, {rounds} rounds in turn, 140x40: seconds from the start of the process, and the app's ratio"
    )
    for name, taken_s in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(seconds["tinygpt-tui"], taken_s, strict=True))
        print(f"{name:28} {statistics.median(taken_s):.3f} s   {ratio:.2f}")


if __name__ == "__main__":
    main()
