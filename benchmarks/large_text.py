"""python -m benchmarks.large_text: what a training on a large text takes: memory, and time to the first step.

The text is words of a shipped one in random order. The same training runs twice, in processes and a home of their own:
first it reads the text and saves its ids, then it finds them. Memory is the largest that was seen: all that is
resident, and without the pages of files, which the operating system can drop at any time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.command import execute
from tinygpt_tui.cli.output import table, write
from tinygpt_tui.paths import HOME_VARIABLE, shipped_data
from tinygpt_tui.words import size

WORDS_AT_ONCE = 200_000
EACH_S = 0.02
TRAINING = ("--preset", "seconds", "--minutes", "0", "--steps", "20", "--threads", "1", "--device", "cpu", "--plain")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--mb", type=int, default=1000, metavar="N", help="size of the text (default: 1000)")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "large.txt"
        write_words(text, arguments.mb * 1_000_000)
        for name in ("without-ids", "with-ids"):
            resident, own, first_s, worked_s = train(Path(folder) / "home", text, name)
            rows.append((name, size(resident), size(own), f"{first_s:.1f} s", f"{worked_s:.1f} s"))
    head = ("TRAINING", "RESIDENT", "WITHOUT FILES' PAGES", "TO THE FIRST STEP", "OF THAT ON THE PROCESSOR")
    write(table(rows, head, right=frozenset({1, 2, 3, 4})))
    return 0


def write_words(path: Path, count: int) -> None:
    """Write a text of `count` bytes."""
    words = (shipped_data() / "tales.txt").read_bytes().split(b" ")
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        while file.tell() < count:
            drawn = b" ".join(words[place] for place in random.integers(len(words), size=WORDS_AT_ONCE))
            file.write(drawn[: count - file.tell()])


def train(home: Path, text: Path, name: str) -> tuple[int, int, float, float]:
    """Train a model; return its largest memory, that without files' pages, and seconds until the first step."""
    began, resident, own, first_s, worked_s = time.monotonic(), 0, 0, 0.0, 0.0
    journal = home / "models" / name / "run" / "events.jsonl"
    command = [sys.executable, "-m", "tinygpt_tui", "train", "--corpus", str(text), "--name", name, *TRAINING]
    with subprocess.Popen(command, env={**os.environ, HOME_VARIABLE: str(home)}, stdout=subprocess.DEVNULL) as child:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            try:
                memory, times = process.memory_info(), process.cpu_times()
            except psutil.Error:
                break
            resident, own = max(resident, memory.rss), max(own, memory.rss - getattr(memory, "shared", 0))
            if not first_s and has_step(journal):
                first_s, worked_s = time.monotonic() - began, times.user + times.system
            time.sleep(EACH_S)
    return resident, own, first_s, worked_s


def has_step(journal: Path) -> bool:
    """Whether the run has taken a step."""
    try:
        lines = journal.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return False
    return any(json.loads(line)["type"] == "Step" for line in lines if line.endswith(b"\n"))


if __name__ == "__main__":
    sys.exit(execute(sys.modules[__name__]))
