"""How quick the screen stays while the engine writes as fast as it can: `python benchmarks/latency.py [RUNS]`.

The real app runs in a pseudo-terminal of 140x40, its form asking for 100,000 tokens, and is driven by keys. While
shakespeare-small writes, a letter that no text has is typed into the prompt five times a second, and the clock runs
until the letter has been written to the terminal; the same before it writes, for comparison. It also measures the app
process's share of one core (its own: the engine is another process) and its memory when 10,000, 50,000 and 100,000
characters have come.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import pty
import re
import select
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

import psutil

from tinygpt_tui.paths import HOME_VARIABLE

SIZE = (40, 140)  # rows, columns
MODEL = "shakespeare-small"
MARKS = (10_000, 50_000, 100_000)  # characters
TOKENS = 100_000  # asked for; a token is a character here
APP = f"""
from tinygpt_tui.__main__ import main
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
begin = SamplingForm.__init__
def asking_for_more(form, settings=None, **rest):
    begin(form, SamplingSettings(max_new_tokens={TOKENS}), **rest)
SamplingForm.__init__ = asking_for_more
main()
"""
EVERY_S = 0.2  # between two letters
LOST_S = 2.0  # a letter that has not come by then is lost
IDLE_KEYS = 20
LONGEST_S = 300.0  # of one run
PATIENCE_S = 60.0  # for anything else that has to come
GOAL_MS, GOAL_SHARE = 50.0, 1 / 3
# Armenian, Georgian, Cherokee: one cell wide, and in no text of the model. Each is typed once, so that what is drawn
# again can't be taken for it; what was typed stays, because a key that takes it away could overtake the next letter.
LETTERS = [
    chr(code)
    for first, last in ((0x531, 0x556), (0x561, 0x586), (0x10D0, 0x10F0), (0x13A0, 0x13F4))
    for code in range(first, last + 1)
]
RECENT = 1 << 16  # bytes of the app's output that are kept
ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=]*[A-Za-z~]")
COUNT = re.compile(rb"([\d,]+)[ -]tok")  # also "stopped at the 100,000-token limit"


@dataclass
class Found:
    """What one run found; `at` are (characters, CPU seconds of the app, clock, bytes of memory) at the marks."""

    idle_ms: list[float] = field(default_factory=list)  # with an engine that does nothing
    delays_ms: list[float] = field(default_factory=list)
    at: list[tuple[int, float, float, int]] = field(default_factory=list)
    lost: int = 0  # letters that were not shown in time
    seconds: float = 0.0


class Screen:
    """The app in a pseudo-terminal: keys go in, what it writes comes out."""

    def __init__(self, home: str) -> None:
        environment = {**os.environ, HOME_VARIABLE: home, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-c", APP], environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        self._process = psutil.Process(self.pid)
        self._recent = b""
        self.count = 0

    def key(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def read(self, seconds: float) -> bytes:
        """Return the output of this many seconds."""
        if not select.select([self._terminal], [], [], max(0.0, seconds))[0]:
            return b""
        try:
            came = os.read(self._terminal, 1 << 16)
        except OSError:  # the other end is closed
            last = ESCAPES.sub(b" ", self._recent).decode(errors="replace").split()
            raise RuntimeError(f"the app ended; its last words: {' '.join(last[-60:])}") from None
        self._recent = (self._recent + came)[-RECENT:]
        return came

    def read_screen(self) -> int:
        """Return how many tokens have come, as the status line says.

        Not done for every piece: a reader that falls behind holds up the app that writes.
        """
        counts = COUNT.findall(ESCAPES.sub(b"", self._recent))
        if counts:
            self.count = int(counts[-1].replace(b",", b""))
        return self.count

    def wait_for(self, there: Callable[[bytes], bool], words: str, seconds: float = PATIENCE_S) -> None:
        """Read until `there` is content with all that came since; raises TimeoutError."""
        ends, seen = time.perf_counter() + seconds, b""
        while not there(seen):
            if time.perf_counter() > ends:
                raise TimeoutError(f"{words} never came; the end of what did: {seen[-300:]!r}")
            seen += self.read(0.1)

    def read_for(self, seconds: float = 1.0) -> None:
        """Read the output of this many seconds (a blinking cursor never stops)."""
        ends = time.perf_counter() + seconds
        while (left_s := ends - time.perf_counter()) > 0:
            self.read(left_s)

    def cost(self) -> tuple[float, float, int]:
        """Return CPU seconds of the app's process, the clock, and its memory in bytes."""
        times = self._process.cpu_times()
        return times.user + times.system, time.perf_counter(), self._process.memory_info().rss

    def close(self) -> None:
        """End the app, and the engine with it."""
        family = [*self._process.children(recursive=True), self._process] if self._process.is_running() else []
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        os.waitpid(self.pid, 0)
        os.close(self._terminal)


def type_letter(screen: Screen, typed: str) -> float | None:
    """Type a letter; return the milliseconds until it was shown, None where it was not."""
    letter = typed.encode()
    pressed = time.perf_counter()
    screen.key(letter)
    seen, shown_ms = b"", None
    while shown_ms is None and time.perf_counter() < pressed + LOST_S:
        seen = seen[-2:] + screen.read(0.05)  # a letter may come in two pieces
        if letter in seen:
            shown_ms = (time.perf_counter() - pressed) * 1000
    screen.read_for(pressed + EVERY_S - time.perf_counter())
    return shown_ms


def measure() -> Found:
    """Type while nothing is written, then while it writes."""
    found = Found()
    with tempfile.TemporaryDirectory() as home:
        Path(home, "settings.json").write_text(json.dumps({"model": MODEL, "pace": "full"}), encoding="utf-8")
        screen = Screen(home)
        try:
            screen.wait_for(lambda seen: b"weights" in ESCAPES.sub(b"", seen), "the whole form")
            screen.read_for()
            letters = iter(LETTERS)
            for letter in islice(letters, IDLE_KEYS):
                shown_ms = type_letter(screen, letter)
                if shown_ms is not None:
                    found.idle_ms.append(shown_ms)
            screen.key(b"\x7f" * IDLE_KEYS)  # the model knows none of them
            screen.read_for()
            screen.key(b"\r")
            screen.wait_for(lambda seen: screen.read_screen() > 0, "the first token")
            found.at.append((screen.count, *screen.cost()))
            began, marks = time.perf_counter(), list(MARKS)
            while marks and time.perf_counter() - began < LONGEST_S:
                following = next(letters, None)
                if following is None:
                    screen.read_for(EVERY_S)
                elif (shown_ms := type_letter(screen, following)) is not None:
                    found.delays_ms.append(shown_ms)
                else:
                    found.lost += 1
                if screen.read_screen() >= marks[0]:
                    found.at.append((screen.count, *screen.cost()))
                    marks = [mark for mark in marks if mark > screen.count]
            found.seconds = time.perf_counter() - began
        finally:
            screen.close()
    return found


def main() -> int:
    """Print what was found beside what is wanted; return 1 where it is not reached."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    idle_ms: list[float] = []
    delays_ms: list[float] = []
    lost = 0
    cpu_shares: list[float] = []
    for number in range(1, runs + 1):
        found = measure()
        idle_ms += found.idle_ms
        delays_ms += found.delays_ms
        lost += found.lost
        characters = found.at[-1][0] if found.at else 0
        print(f"run {number}: {len(found.delays_ms)} keys, {characters:,} characters in {found.seconds:.0f} s")
        for (before, cpu_0, clock_0, _), (after, cpu_1, clock_1, rss) in pairwise(found.at):
            cpu_shares.append((cpu_1 - cpu_0) / (clock_1 - clock_0))
            print(f"  from {before:>7,} to {after:>7,}: {cpu_shares[-1]:5.1%} of a core; {rss / 1e6:.0f} MB at the end")
    print(f"nothing is written: {in_words(idle_ms)}")
    print(f"it writes:          {in_words(delays_ms)}; wanted: 99 % within {GOAL_MS:.0f} ms; {lost} letters were lost")
    if not cpu_shares or not delays_ms:
        print("nothing was measured")
        return 1
    print(f"the app's share of a core, at most: {max(cpu_shares):.1%} (wanted: under a third)")
    return 0 if percentile(delays_ms, 99) < GOAL_MS and max(cpu_shares) < GOAL_SHARE and not lost else 1


def in_words(delays_ms: list[float]) -> str:
    """Say how long keys took."""
    if not delays_ms:
        return "no key was shown"
    half, most = percentile(delays_ms, 50), percentile(delays_ms, 99)
    slowest = max(delays_ms)
    return f"{len(delays_ms)} keys, half within {half:.1f} ms, 99 % within {most:.1f} ms, the slowest {slowest:.1f}"


def percentile(values: list[float], share: int) -> float:
    """Return the smallest of `values` that this percentage of them does not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)]


if __name__ == "__main__":
    sys.exit(main())
