"""The engine's client with a scripted other end: each job gets its own events, and every job ends exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygpt_tui.errors import EngineError
from tinygpt_tui.events import wire
from tinygpt_tui.events.generation import (
    EngineFailed,
    EngineReady,
    GenerationEnded,
    GenerationEvent,
    GenerationStarted,
    Token,
)
from tinygpt_tui.events.requests import CompareWeights, Generate, OpenModel, Request, StopJob
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.client import Engine, Job, Listener

GENERATE = Generate("/m", "a", SamplingSettings())


class Script:
    """The other end: keeps the requests; the test calls `receive`."""

    pid = 1

    def __init__(self) -> None:
        self.receive: Listener = lambda _events: None
        self.requests: list[Request] = []
        self.before_write: Callable[[], None] = lambda: None
        self.broken: EngineError | None = None
        self.closed = False

    async def start(self) -> None:
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken

    async def write(self, line: bytes) -> None:
        self.before_write()
        self.requests.append(wire.request(line))

    async def close(self, patience_s: float) -> None:
        self.closed = True


async def sent(script: Script, count: int) -> None:
    """Wait until so many requests have arrived."""
    async with asyncio.timeout(240):
        while len(script.requests) < count:
            await asyncio.sleep(0)


async def events_of(job: Job) -> list[GenerationEvent]:
    async with asyncio.timeout(240):
        return [event async for batch in job for event in batch]


def token(job: int, index: int = 0) -> Token:
    return Token(job, index, 0, "a", 1)


def ended(job: int, reason: Any = "length") -> GenerationEnded:
    return GenerationEnded(job, reason, 0, 0.0, None)


@given(st.lists(st.lists(st.integers(1, 3), max_size=4), max_size=8))
@settings(deadline=None)
def test_however_events_arrive_each_job_yields_its_own_in_order(batches: list[list[int]]) -> None:
    async def go() -> None:
        engine = Engine(script := Script())
        jobs = [engine.start(GENERATE) for _ in range(3)]  # numbers are known before anything is sent
        readers = [asyncio.create_task(events_of(job)) for job in jobs]
        given: dict[int, list[GenerationEvent]] = {1: [], 2: [], 3: []}
        for batch in [*batches, [1], [2], [3]]:
            events: list[GenerationEvent] = [token(job, index) for index, job in enumerate(batch)]
            for job, event in zip(batch, events, strict=True):
                given[job].append(event)
            script.receive([*events, token(77), EngineReady(1, {})])
            await asyncio.sleep(0)
        for job in jobs:
            given[job.number].append(ended(job.number))
        script.receive([ended(job.number) for job in jobs])
        assert await asyncio.gather(*readers) == list(given.values())
        await sent(script, 3)
        assert [request.job for request in script.requests if isinstance(request, Generate)] == [1, 2, 3]

    asyncio.run(go())


async def test_the_answer_waits_for_a_reader_that_comes_late() -> None:
    engine = Engine(script := Script())
    job = engine.start(GENERATE)
    await sent(script, 1)
    script.receive([GenerationStarted(1, 1, 8, 7)])
    await asyncio.sleep(0.01)
    script.receive([token(1), ended(1)])
    assert [type(event) for event in await events_of(job)] == [GenerationStarted, Token, GenerationEnded]
    assert await events_of(job) == []  # and it stays at its end


async def test_what_belongs_to_no_job_is_news() -> None:
    engine, heard = Engine(script := Script()), list[GenerationEvent]()
    engine.on_news = heard.extend
    job = engine.start(CompareWeights("/m", "/n"))
    engine.open("/m")
    await sent(script, 2)
    assert script.requests == [CompareWeights("/m", "/n", job=1), OpenModel("/m")]
    assert not engine.is_ready
    script.receive([EngineReady(1, {}), ended(1), EngineFailed("cannot be opened", "", "/m")])
    assert await events_of(job) == [ended(1)]
    assert heard == [EngineReady(1, {}), EngineFailed("cannot be opened", "", "/m")]
    assert engine.is_ready  # it lives: only that model failed


async def test_a_stop_is_sent_once_and_not_after_the_end() -> None:
    engine = Engine(script := Script())
    one, other = engine.start(GENERATE), engine.start(GENERATE)
    await sent(script, 2)
    one.stop()
    one.stop()
    script.receive([ended(2)])
    other.stop()
    await sent(script, 3)
    script.receive([ended(1, "stopped")])
    one.stop()
    await asyncio.gather(events_of(one), events_of(other))
    engine.open("/m")
    await sent(script, 4)
    assert script.requests[2:] == [StopJob(1), OpenModel("/m")]


async def test_a_job_that_is_stopped_before_it_was_sent_is_never_sent() -> None:
    engine = Engine(script := Script())
    jobs = [engine.start(GENERATE) for _ in range(50)]  # an arrow key is held down
    for job in jobs[:-1]:
        job.stop()
    found = [await events_of(job) for job in jobs[:-1]]
    assert [[(event.job, event.reason) for event in events if isinstance(event, GenerationEnded)] for events in found]
    assert all([ended(job.number, "stopped")] == events for job, events in zip(jobs, found, strict=False))
    await sent(script, 1)
    assert [request.job for request in script.requests if isinstance(request, Generate)] == [50]


async def test_a_reader_that_is_cancelled_stops_its_job() -> None:
    engine = Engine(script := Script())
    job = engine.start(GENERATE)
    await sent(script, 1)
    reader = asyncio.create_task(events_of(job))
    await asyncio.sleep(0)
    reader.cancel()
    await sent(script, 2)
    assert script.requests[-1] == StopJob(1)
    assert reader.cancelled()


async def test_the_death_of_the_end_ends_what_it_had_and_nothing_else() -> None:
    engine, heard = Engine(script := Script()), list[GenerationEvent]()
    engine.on_news = heard.extend
    first = engine.start(GENERATE)
    await sent(script, 1)
    second = engine.start(GENERATE)
    # The death is reported while the second request waits for another start.
    script.receive([token(1), EngineFailed("it died", "ask again")])
    await sent(script, 2)
    script.receive([ended(2)])
    token_, end = await events_of(first)
    assert token_ == token(1)
    assert isinstance(end, GenerationEnded)
    assert (end.reason, end.message, end.hint) == ("failed", "it died", "ask again")
    assert await events_of(second) == [ended(2)]
    assert heard == [EngineFailed("it died", "ask again")]
    assert not engine.is_ready


async def test_where_the_end_cannot_be_started_every_job_fails_with_the_reason() -> None:
    engine, heard = Engine(script := Script()), list[GenerationEvent]()
    engine.on_news = heard.extend
    script.broken = EngineError("no more processes", "close some")
    jobs = [engine.start(GENERATE) for _ in range(2)]
    for job in jobs:
        (end,) = await events_of(job)
        assert isinstance(end, GenerationEnded)
        assert (end.job, end.reason, end.message) == (job.number, "failed", "no more processes")
    assert heard == [EngineFailed("no more processes", "close some")]
    script.broken = None
    job = engine.start(GENERATE)
    await sent(script, 1)
    script.receive([ended(3)])
    assert await events_of(job) == [ended(3)]


@pytest.mark.parametrize(
    "request_",
    [Generate("/m", "a\ud800", SamplingSettings()), Generate("/m", "a", SamplingSettings(temperature=-1.0))],
    ids=["half a surrogate", "out of range"],
)
async def test_what_cannot_be_sent_ends_its_job_with_the_reason(request_: Generate) -> None:
    engine = Engine(script := Script())
    (end,) = await events_of(engine.start(request_))
    assert isinstance(end, GenerationEnded)
    assert (end.reason, bool(end.message), script.requests) == ("failed", True, [])


async def test_while_the_pace_rests_events_wait_and_come_as_one_batch() -> None:
    class Pace:
        resting = True
        begun = 0

        def begin(self) -> None:
            self.begun += 1

        def rest_s(self) -> float:
            return 0.001 if self.resting else 0.0

    pace = Pace()
    engine = Engine(script := Script(), pace)
    job, batches = engine.start(GENERATE), list[list[GenerationEvent]]()

    async def read() -> None:
        async for batch in job:
            batches.append(batch)

    reader = asyncio.create_task(read())
    for index in range(5):
        script.receive([token(1, index)])
        await asyncio.sleep(0.002)
    assert batches == []
    pace.resting = False
    script.receive([ended(1)])
    async with asyncio.timeout(240):
        await reader
    assert batches == [[*(token(1, index) for index in range(5)), ended(1)]]
    assert pace.begun == 1


async def test_a_closed_engine_sends_nothing_more() -> None:
    engine = Engine(script := Script())
    engine.start(GENERATE)
    await engine.close()
    engine.start(GENERATE).stop()
    engine.open("/m")
    await asyncio.sleep(0.01)
    assert script.closed
    assert script.requests == []
