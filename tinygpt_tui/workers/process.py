"""How processes are started, so that they find this package and nothing in the folder they are started in.

All but a trainer end with the process that starts them (workers/leash.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

ENGINE_LOG = "engine.log"
_INSTALLED = ("site-packages", "dist-packages")


def command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs `module` of this package.

    -P keeps the current folder off the import path: a `random.py` there may be the user's own exercise.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def child_command(module: str, *arguments: str) -> list[str]:
    """Return the command line of a process that ends when its stdin does; its starter keeps the other end open."""
    return command("tinygpt_tui.workers.leash", module, *arguments)


ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Child:
    """A process of this package that ends when this process does, however that ends; as a context, with its block."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        stdout: int = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        variables: Mapping[str, str] = {},
    ) -> None:
        """`variables` are added to its environment. Raises OSError where no process can be started."""
        self._process = subprocess.Popen(
            child_command(module, *arguments),
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            env={**environment(), **variables},
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of its stdout, which must be a pipe."""
        assert self._process.stdout is not None, "its stdout is read"
        yield from self._process.stdout

    def kill(self) -> None:
        """End it at once, where it still runs."""
        if self._process.poll() is None:
            self._process.kill()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for its end; return its exit code. Raises TimeoutError."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return code


def environment() -> dict[str, str]:
    """Return the environment in which the module is found, also where the package runs from its source folder."""
    root = Path(__file__).resolve().parents[2]
    if root.name in _INSTALLED:
        return dict(os.environ)
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *([others] if others else [])])}
