"""The other end of the engine process: starts it, asks, and hands its events on; no torch here."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO

from tinygpt_tui import paths
from tinygpt_tui.errors import EngineError
from tinygpt_tui.events import wire
from tinygpt_tui.events.generation import EngineFailed, GenerationEnded, GenerationEvent
from tinygpt_tui.events.requests import (
    CompareWeights,
    Explain,
    Gain,
    Generate,
    LookAtSenses,
    OpenModel,
    Request,
    StopJob,
    Trace,
)
from tinygpt_tui.reading import Damage
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.settings.fields import changed
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.process import ENGINE_LOG, command, environment

LONGEST_LOG = 1 << 20  # bytes
GOODBYE_S = 2.0


class EngineClient:
    """Asks one engine process; starts another on the next request when it has died.

    Every job that was asked for gets exactly one GenerationEnded, also where the process was killed in mid-word.
    """

    def __init__(self, frames_per_second: int = 30, device: str = AUTO) -> None:
        """Tokens are passed on at most `frames_per_second` times a second; models compute on `device`."""
        self._device = device
        self._frames_per_second = frames_per_second
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[list[GenerationEvent]] = asyncio.Queue()
        self._running: set[int] = set()
        self._starting = asyncio.Lock()
        self._last_job = 0
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The engine's process number while it lives."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if alive and self._process else None

    async def start(self) -> None:
        """Start the process if there is none; returns before it is ready. What is asked meanwhile waits in its pipe.

        Raises EngineError where it cannot be started, as all that asks does.
        """
        async with self._starting:  # two that ask at once get one process
            if self.pid is not None:
                return
            if self._reader is not None:
                await self._reader  # the jobs of a dead one end before the first of the next begins
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

    async def open(self, model: str) -> None:
        """Have the model at this path ready. ModelOpened or EngineFailed follows among the events."""
        await self._ask(OpenModel(model))

    async def generate(
        self,
        model: str,
        prompt: str,
        sampling: SamplingSettings,
        *,
        candidates: int | None = None,
        untrained: bool = False,
        at_step: int | None = None,
        gains: Sequence[Gain] = (),
    ) -> int:
        """Begin a job with the model at this path; return its number. Its events follow.

        Raises UsageError for a setting that cannot be: the process would not understand the request.
        """
        sampling, job = changed(sampling, {}), self._next_job()
        await self._ask(Generate(job, model, prompt, sampling, candidates, untrained, at_step, tuple(gains)))
        return job

    async def explain(
        self,
        model: str,
        text: str,
        start: int,
        end: int,
        sampling: SamplingSettings,
        *,
        candidates: int = 10,
        untrained: bool = False,
    ) -> int:
        """Ask what the model thought of characters `start` to `end` of `text`; return the job's number."""
        job = self._next_job()
        await self._ask(Explain(job, model, text, start, end, sampling, candidates, untrained))
        return job

    async def compare(self, model: str, other: str) -> int:
        """Ask how far the weights of one model are from another's; return the job's number."""
        job = self._next_job()
        await self._ask(CompareWeights(job, model, other))
        return job

    async def senses(self, model: str, text: str) -> int:
        """Ask for the senses of a text's tokens; return the job's number."""
        job = self._next_job()
        await self._ask(LookAtSenses(job, model, text))
        return job

    async def trace(self, model: str, text: str, *, untrained: bool = False) -> int:
        """Ask for each step of the forward pass over `text`; return the job's number."""
        job = self._next_job()
        await self._ask(Trace(job, model, text, untrained))
        return job

    async def stop(self, job: int) -> None:
        """End a job at its next token; its GenerationEnded follows."""
        if job in self._running and self.pid is not None:
            await self._ask(StopJob(job))

    async def batches(self) -> AsyncIterator[list[GenerationEvent]]:
        """Yield events in batches, for ever, over restarts of the process."""
        while True:
            yield await self._events.get()

    async def close(self, patience_s: float = GOODBYE_S) -> None:
        """End the process: its stdin ends, and if that does not help within `patience_s`, it is killed."""
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

    def _next_job(self) -> int:
        self._last_job += 1
        return self._last_job

    async def _ask(self, request: Request) -> None:
        line = wire.to_line(request)
        await self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        if isinstance(request, Generate | Explain | CompareWeights | LookAtSenses | Trace):
            self._running.add(request.job)
        try:
            self._process.stdin.write(line)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return  # it died just now; the reader says so, and ends the job

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            self._hand_on(lines)
        await process.wait()
        if not self._closing:
            self._events.put_nowait(self._death(process.returncode))

    def _hand_on(self, lines: list[bytes]) -> None:
        events: list[GenerationEvent] = []
        for line in lines:
            try:
                event = wire.generation_event(line)
            except Damage:
                continue  # not ours: a library that writes to the descriptor itself
            if isinstance(event, GenerationEnded):
                self._running.discard(event.job)
            events.append(event)
        if events:
            self._events.put_nowait(events)

    def _death(self, code: int | None) -> list[GenerationEvent]:
        message = f"the engine process ended unexpectedly ({_how(code)})"
        hint = "your text is safe; the next request starts another"
        ended: list[GenerationEvent] = [
            GenerationEnded(
                job=job, reason="failed", tokens=0, seconds=0.0, seconds_to_first=None, message=message, hint=hint
            )
            for job in sorted(self._running)
        ]
        self._running.clear()
        return [*ended, EngineFailed(message, hint)]


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _open_log() -> IO[bytes] | int:
    """Return where the engine's stderr goes: the log file, or nowhere where that cannot be written."""
    path: Path = paths.logs_folder() / ENGINE_LOG
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The last process's traceback must outlive the next one's start, but not fill the disk.
        long = path.exists() and path.stat().st_size > LONGEST_LOG
        return path.open("wb" if long else "ab")
    except OSError:
        return subprocess.DEVNULL
