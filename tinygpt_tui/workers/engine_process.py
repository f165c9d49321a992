"""The engine process, as the other end of workers/client.py: starts it, and starts another one after it has died."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tinygpt_tui import paths
from tinygpt_tui.errors import EngineError
from tinygpt_tui.events import wire
from tinygpt_tui.events.generation import EngineFailed, GenerationEvent
from tinygpt_tui.reading import Damage
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.workers.process import ENGINE_LOG, command, environment

LONGEST_LOG = 1 << 20  # bytes


class EngineProcess:
    """Lines of requests go to the process's stdin; its stdout brings events, which go to `receive` in batches."""

    def __init__(self, frames_per_second: int = 30, device: str = AUTO) -> None:
        """Tokens are passed on at most `frames_per_second` times a second; models compute on `device`."""
        self.receive: Callable[[list[GenerationEvent]], None] = lambda _events: None
        self._device = device
        self._frames_per_second = frames_per_second
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._closing = False

    @property
    def pid(self) -> int | None:
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if alive and self._process else None

    async def start(self) -> None:
        """Start the process if none is running; returns before it is ready. Requests wait in its pipe until then.

        Raises EngineError if it cannot be started.
        """
        async with self._starting:  # two that start it at once get one process
            if self.pid is not None:
                return
            if self._reader is not None:
                await self._reader  # the death of the last one is reported before the next one has jobs
            log = _open_log()
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command("tinygpt_tui.workers.host", str(self._frames_per_second), self._device),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment(),
                )
            except OSError as error:
                raise EngineError(
                    f"the engine process could not be started: {error}", "close other programs"
                ) from error
            finally:
                if not isinstance(log, int):
                    log.close()
            self._reader = asyncio.create_task(self._read(self._process))

    async def write(self, line: bytes) -> None:
        """Send one request. If the process has just died, the reader reports that."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(line)
            await self._process.stdin.drain()

    async def close(self, patience_s: float) -> None:
        """End the process by ending its stdin; if it has not ended within `patience_s`, it is killed."""
        self._closing = True
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), patience_s)
        except TimeoutError:  # importing torch, or deep in a long prompt
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            if events := _events_in(lines):
                self.receive(events)
        await process.wait()
        if not self._closing:
            message = f"the engine process ended unexpectedly ({_how(process.returncode)})"
            self.receive([EngineFailed(message, "your text is safe; the next request starts another")])


def _events_in(lines: list[bytes]) -> list[GenerationEvent]:
    events = []
    for line in lines:
        with contextlib.suppress(Damage):  # not ours: a library that writes to the descriptor itself
            events.append(wire.generation_event(line))
    return events


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _open_log() -> IO[bytes] | int:
    """Return where the engine's stderr goes: the log file, or nowhere if that cannot be written."""
    path: Path = paths.logs_folder() / ENGINE_LOG
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The last process's traceback must outlive the next one's start, but not fill the disk.
        long = path.exists() and path.stat().st_size > LONGEST_LOG
        return path.open("wb" if long else "ab")
    except OSError:
        return subprocess.DEVNULL
