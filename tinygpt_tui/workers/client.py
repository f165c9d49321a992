"""From a caller to an engine and back: `start` sends a request; the job that it returns yields the answer. No torch."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from tinygpt_tui.errors import EngineError, TinyGPTError, UsageError
from tinygpt_tui.events import wire
from tinygpt_tui.events.generation import EngineFailed, EngineReady, GenerationEnded, GenerationEvent
from tinygpt_tui.events.requests import (
    Allow,
    Attribute,
    ChangeSampling,
    Control,
    Explain,
    Generate,
    OpenModel,
    Request,
    StopJob,
    Work,
)
from tinygpt_tui.settings.fields import changed
from tinygpt_tui.settings.sampling import SamplingSettings

GOODBYE_S = 2.0

Listener = Callable[[list[GenerationEvent]], None]


class End(Protocol):
    """The other end: what reads request lines and answers with events. It calls `receive` for each batch of events.

    If it dies, it reports an EngineFailed without a model before `start` starts another one.
    """

    receive: Listener

    @property
    def pid(self) -> int | None:
        """The number of its process; None if it is not running."""
        ...

    async def start(self) -> None:
        """Start it if it is not running. Raises EngineError."""
        ...

    async def write(self, line: bytes) -> None: ...

    async def close(self, patience_s: float) -> None:
        """End it, by force after `patience_s`."""
        ...


class Pace(Protocol):
    """Limits how often events are passed on; see ui/jobs/draw_pace.py."""

    def begin(self) -> None: ...

    def rest_s(self) -> float:
        """Return how long to wait before passing on more."""
        ...


class Job:
    """One request: `async for events in job` yields its events in batches until its GenerationEnded. For one reader.

    If the reader is cancelled, the job is stopped.
    """

    def __init__(self, number: int, control: Callable[[Control], None]) -> None:
        self.number = number
        self._control = control
        self._events: list[GenerationEvent] = []
        self._due = asyncio.Event()
        self._ended = self._stopping = False

    @property
    def running(self) -> bool:
        """Whether events may still come: it has not ended, and no stop was requested."""
        return not (self._ended or self._stopping)

    def stop(self) -> None:
        """End the job at its next token; its GenerationEnded follows. A second stop does nothing."""
        if self.running:
            self._stopping = True
            self._control(StopJob(self.number))

    def allow(self, tokens: int | None, candidates: int = 0) -> None:
        """Let it draw this many tokens in all, then wait; None: as many as it wants. See Allow."""
        if self.running:
            self._control(Allow(self.number, tokens, candidates))

    def change_sampling(self, sampling: SamplingSettings) -> None:
        """Have the next tokens drawn with other settings; see ChangeSampling."""
        if self.running:
            plain = msgspec.structs.replace(sampling, stop=(), banned="", allowed="")  # which may hold broken text
            self._control(ChangeSampling(self.number, plain))

    def __aiter__(self) -> Job:
        return self

    async def __anext__(self) -> list[GenerationEvent]:
        """Return the events since the last batch."""
        while not self._due.is_set() or not self._events:
            if self._ended and not self._events:
                raise StopAsyncIteration
            self._due.clear()
            try:
                await self._due.wait()
            except asyncio.CancelledError:
                self.stop()
                raise
        self._due.clear()
        events, self._events = self._events, []
        return events

    def add(self, event: GenerationEvent) -> None:
        """Add an event; the engine's part, like `release`."""
        self._events.append(event)
        self._ended = self._ended or isinstance(event, GenerationEnded)

    def release(self) -> None:
        self._due.set()


class Unsent(NamedTuple):
    """A request on its way out; `job` is 0 for one that is no job."""

    job: int
    line: bytes
    is_control: bool = False  # of no use to an end that does not know its job


class Engine:
    """Sends requests to one end and gives each job its own events; all others go to `on_news`, in batches.

    Every started job gets exactly one GenerationEnded, also if the other end dies or cannot be started.
    """

    def __init__(self, end: End, pace: Pace | None = None) -> None:
        self._end, self._pace = end, pace
        end.receive = self._receive
        self.on_news: Listener = lambda _events: None
        self.is_ready = False  # whether it reads requests
        self._last_job = 0
        self._jobs: dict[int, Job] = {}  # those that have not ended
        self._sent: set[int] = set()  # those of them that the end knows
        self._unsent: deque[Unsent] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._due: dict[int, Job] = {}
        self._news: list[GenerationEvent] = []
        self._delivery: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process number of the engine while it runs."""
        return self._end.pid

    def start(self, request: Work) -> Job:
        """Send a request and return its job at once; the job gives the request its number.

        A request that cannot be sent ends the job as failed, like one that the engine refuses.
        """
        self._last_job += 1
        request = msgspec.structs.replace(request, job=self._last_job)
        job = self._jobs[request.job] = Job(request.job, self._control)
        try:
            line = _line_of(request)
        except TinyGPTError as error:
            self._receive([_ended(request.job, "failed", error.message, error.hint)])
        else:
            self._queue(Unsent(request.job, line))
        return job

    def open(self, model: str) -> None:
        """Have the model at this path ready. The news is ModelOpened or EngineFailed."""
        try:
            self._queue(Unsent(0, _line_of(OpenModel(model))))
        except TinyGPTError as error:
            self._receive([EngineFailed(error.message, error.hint, model)])

    async def launch(self) -> None:
        """Start the other end before the first request; returns before it is ready. A failure is in the news."""
        try:
            await self._end.start()
        except EngineError as error:
            self._fail_unsent(error)

    async def close(self, patience_s: float = GOODBYE_S) -> None:
        """End the engine; if it has not ended within `patience_s`, it is killed."""
        self._closing = True
        if self._delivery is not None:
            self._delivery.cancel()
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sender
        await self._end.close(patience_s)

    # Out

    def _queue(self, unsent: Unsent) -> None:
        if self._closing:
            return
        self._unsent.append(unsent)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send())

    def _control(self, request: Control) -> None:
        job = request.job
        start = next((unsent for unsent in self._unsent if unsent.job == job and not unsent.is_control), None)
        if isinstance(request, StopJob) and start is not None:
            self._unsent.remove(start)
            self._receive([_ended(job, "stopped")])
        else:
            self._queue(Unsent(job, wire.to_line(request), is_control=True))

    async def _send(self) -> None:
        while self._unsent:
            if self._unsent[0].is_control and (self._unsent[0].job not in self._jobs or self.pid is None):
                self._unsent.popleft()
                continue
            try:
                await self._end.start()
            except EngineError as error:
                self._fail_unsent(error)
                return
            if not self._unsent:  # stopped meanwhile
                return
            unsent = self._unsent.popleft()
            if unsent.job in self._jobs:
                self._sent.add(unsent.job)
            await self._end.write(unsent.line)

    def _fail_unsent(self, error: EngineError) -> None:
        jobs = [unsent.job for unsent in self._unsent if unsent.job in self._jobs and not unsent.is_control]
        self._unsent.clear()
        ended = [_ended(job, "failed", error.message, error.hint) for job in jobs]
        self._receive([*ended, EngineFailed(error.message, error.hint)])

    # In

    def _receive(self, events: list[GenerationEvent]) -> None:
        if self._closing:
            return
        for event in events:
            job = getattr(event, "job", None)
            if job is None:
                self._note(event)
            elif job in self._jobs:
                self._add(job, event)
        if self._delivery is None:
            self._delivery = asyncio.get_running_loop().call_later(0.0, self._deliver)

    def _add(self, number: int, event: GenerationEvent) -> None:
        job = self._due[number] = self._jobs[number]
        job.add(event)
        if isinstance(event, GenerationEnded):
            del self._jobs[number]
            self._sent.discard(number)

    def _note(self, event: GenerationEvent) -> None:
        if isinstance(event, EngineReady):
            self.is_ready = True
        elif isinstance(event, EngineFailed) and not event.model:  # a model that cannot be opened leaves it alive
            self.is_ready = False
            for job in sorted(self._sent):
                self._add(job, _ended(job, "failed", event.message, event.hint))
        self._news.append(event)

    def _deliver(self) -> None:
        rest_s = self._pace.rest_s() if self._pace is not None else 0.0
        if rest_s > 0:  # what is received meanwhile costs, too
            self._delivery = asyncio.get_running_loop().call_later(rest_s, self._deliver)
            return
        self._delivery = None
        if self._pace is not None:
            self._pace.begin()
        due, self._due = self._due, {}
        for job in due.values():
            job.release()
        if self._news:
            news, self._news = self._news, []
            self.on_news(news)


def _line_of(request: Request) -> bytes:
    """Return a request as the engine reads it. Raises UsageError if a setting is out of range or a text is broken."""
    if isinstance(request, Generate | Explain | Attribute):
        request = msgspec.structs.replace(request, sampling=changed(request.sampling, {}))
    try:
        return wire.to_line(request)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the text or the path has half a character at {error.start}: {error.object[error.start]!r}",
            "remove it from the text, or rename the file",
        ) from error


def _ended(job: int, reason: str, message: str = "", hint: str = "") -> GenerationEnded:
    return GenerationEnded(
        job=job,
        reason=reason,  # type: ignore[arg-type]
        tokens=0,
        seconds=0.0,
        seconds_to_first=None,
        message=message,
        hint=hint,
    )
