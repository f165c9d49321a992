"""Let a long command continue when its terminal is closed or the reader of its output ends.

A stream that can no longer be written is replaced by a log file, for everything that writes to its descriptor (torch,
child processes).
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tinygpt_tui import platforms

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STREAMS = ("stdout", "stderr")


class _Stream(io.RawIOBase):
    """Writes to a descriptor; at its first failure the descriptor is redirected to `log`."""

    def __init__(self, descriptor: int, log: Path) -> None:
        self._descriptor, self._log = descriptor, log

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, content: ReadableBuffer, /) -> int:
        try:
            return os.write(self._descriptor, content)
        except OSError:
            was_terminal = self.isatty()
            self.replace()
            if not was_terminal:  # a part of a chart is useless in a log
                with contextlib.suppress(OSError):
                    os.write(self._descriptor, content)
            return memoryview(content).nbytes

    def replace(self) -> None:
        """Redirect the descriptor to the log, or to nothing if the log cannot be written."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            log = os.open(self._log, flags, 0o666)
        except OSError:
            log = os.open(os.devnull, os.O_WRONLY)
        os.dup2(log, self._descriptor)
        os.close(log)


@contextlib.contextmanager
def surviving(log: Path) -> Iterator[None]:
    """Run the block to its end even if the terminal or a reader of its output is gone; its output then goes to `log`.

    A hang-up redirects the streams of the terminal to the log. Main thread only.
    """
    plain = {name: getattr(sys, name) for name in STREAMS}
    streams = {name: stream for name, text in plain.items() if (stream := _stream(text, log)) is not None}

    def leave() -> None:
        for stream in streams.values():
            if stream.isatty():
                stream.replace()

    with platforms.on_hang_up(leave):
        try:
            for name, stream in streams.items():
                plain[name].flush()
                written = io.BufferedWriter(stream)
                text = io.TextIOWrapper(written, encoding="utf-8", errors="replace", write_through=True)
                setattr(sys, name, text)
            yield
        finally:
            for name in streams:
                getattr(sys, name).flush()
                setattr(sys, name, plain[name])


def _stream(text: object, log: Path) -> _Stream | None:
    """Return a stream that writes to the descriptor of `text`; None if it has none or is closed."""
    if not isinstance(text, io.TextIOWrapper) or not platforms.terminals_hang_up():  # only there can a terminal hang up
        return None
    try:
        return _Stream(text.fileno(), log)
    except (OSError, ValueError):
        return None
