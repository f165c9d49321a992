"""The command line in this process: what one of its own would write and return, without importing torch each time."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinygpt_tui.cli.main import run
from tinygpt_tui.platforms import STOP_SIGNALS


def tinygpt(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; what would be a traceback is raised."""
    words = [*map(str, arguments)]
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch, _signals_restored():
        for name, stream in {"stdin": io.BytesIO(stdin.encode()), "stdout": out, "stderr": err}.items():
            patch.setattr(f"sys.{name}", io.TextIOWrapper(stream, encoding="utf-8", write_through=True))
        try:
            code = run(words)
        except SystemExit as end:
            code = int(end.code or 0)
        return subprocess.CompletedProcess(words, code, out.getvalue().decode(), err.getvalue().decode())


@contextlib.contextmanager
def _signals_restored() -> Iterator[None]:
    """A training takes the signals that stop it, as its process ends with it."""
    before = {number: signal.getsignal(number) for name in STOP_SIGNALS if (number := getattr(signal, name, None))}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
