"""Requests that are too long, empty, strange or many: each ends with the right thing or a clear word."""

from __future__ import annotations

import asyncio
import math
import shutil
from pathlib import Path

import pytest
from makers import LECTURE, make_model, tiny_gpt

from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, GenerationStarted, Token
from tinygpt_tui.events.requests import Generate, StopJob
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.client import Engine, Job
from tinygpt_tui.workers.engine_process import EngineProcess
from tinygpt_tui.workers.service import EngineService

FEW = SamplingSettings(max_new_tokens=5, seed=1)


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A model folder; it knows a newline, a space, and the letters a to k."""
    make_model(tmp_path / "net")
    return str(tmp_path / "net")


def answer(service: EngineService, *requests: Generate) -> list[GenerationEvent]:
    """Return all that the service says to these requests."""
    events = [event for request in requests for event in service.handle(0.0, request)]
    while service.busy:
        events += service.advance()
    return events


def tokens(events: list[GenerationEvent], job: int = 1) -> list[int]:
    return [event.id for event in events if isinstance(event, Token) and event.job == job]


def ends(events: list[GenerationEvent]) -> list[GenerationEnded]:
    return [event for event in events if isinstance(event, GenerationEnded)]


@pytest.mark.parametrize(
    ("prompt", "known", "unknown"),
    [
        ("", 0, ""),
        ("abc" * 400, 1200, ""),
        ("abcdefghij" * 100_000, 1_000_000, ""),
        ("a\x00\x1b[31mb", 2, "\x00\x1b[31m"),
        ("a😀b👩‍👩‍👧", 2, "😀👩\u200d👧"),
        ("\ud800a", 1, "\ud800"),
        ("😀", 0, "😀"),
    ],
    ids=[
        "empty",
        "longer than the window",
        "a megabyte",
        "control characters",
        "emoji",
        "half a surrogate",
        "all unknown",
    ],
)
def test_any_prompt_is_written_on_from(model: str, prompt: str, known: int, unknown: str) -> None:
    events = answer(EngineService(), Generate(model, prompt, FEW, job=1))
    (started,) = [event for event in events if isinstance(event, GenerationStarted)]
    assert (started.prompt_tokens, started.unknown) == (known, unknown)
    assert len(tokens(events)) == 5
    assert ends(events)[0].reason == "length"


def test_no_new_tokens_is_an_end_at_once(model: str) -> None:
    events = answer(EngineService(), Generate(model, "a", SamplingSettings(max_new_tokens=0), job=1))
    assert [type(event) for event in events] == [GenerationStarted, GenerationEnded]


def test_a_million_new_tokens_are_stopped_when_asked(model: str) -> None:
    service = EngineService()
    service.handle(0.0, Generate(model, "a", SamplingSettings(max_new_tokens=1_000_000, seed=1), job=1))
    events = [event for _ in range(2000) for event in service.advance()]
    service.handle(0.0, StopJob(1))
    while service.busy:
        events += service.advance()
    assert ends(events)[0].reason == "stopped"
    assert len(tokens(events)) == ends(events)[0].tokens >= 1999


def test_greedy_is_the_same_with_every_seed(model: str) -> None:
    service = EngineService()
    requests = [Generate(model, "a", SamplingSettings(temperature=0, max_new_tokens=20, seed=n), job=n) for n in (1, 2)]
    events = answer(service, *requests)
    assert tokens(events, 1) == tokens(events, 2)


def test_more_than_the_vocabulary_keeps_all_of_it(model: str) -> None:
    wide = SamplingSettings(top_k=10_000, max_new_tokens=20, seed=3)
    plain = SamplingSettings(max_new_tokens=20, seed=3)
    events = answer(EngineService(), Generate(model, "a", wide, job=1), Generate(model, "a", plain, job=2))
    assert tokens(events, 1) == tokens(events, 2)


@pytest.mark.parametrize("temperature", [-1.0, math.nan, math.inf])
async def test_a_temperature_that_cannot_be_is_refused_before_it_is_sent(model: str, temperature: float) -> None:
    engine = Engine(EngineProcess())
    job = engine.start(Generate(model, "a", SamplingSettings(temperature=temperature)))
    ((ended,),) = [batch async for batch in job]
    assert isinstance(ended, GenerationEnded)
    assert (ended.reason, "temperature" in ended.message) == ("failed", True)
    assert engine.pid is None


def test_ten_at_once_take_turns_and_each_is_what_it_would_be_alone(model: str) -> None:
    requests = [Generate(model, "a", SamplingSettings(max_new_tokens=30, seed=n), job=n) for n in range(1, 11)]
    together = answer(EngineService(), *requests)
    first_ends = [event.job for event in together if isinstance(event, Token)][:10]
    assert sorted(first_ends) == list(range(1, 11))
    for request in requests:
        assert tokens(together, request.job) == tokens(answer(EngineService(), request), request.job)
    assert sorted(end.job for end in ends(together)) == list(range(1, 11))


def test_a_model_replaced_while_it_writes_finishes_as_it_began(model: str, tmp_path: Path) -> None:
    request = Generate(model, "a", SamplingSettings(max_new_tokens=40, seed=5), job=1)
    whole = tokens(answer(EngineService(), request))
    service = EngineService()
    events = service.handle(0.0, request)
    for _ in range(10):
        events += service.advance()
    make_model(tmp_path / "other", tiny_gpt(n_layer=1), seed=9)
    shutil.rmtree(model)
    shutil.copytree(tmp_path / "other", model)
    while service.busy:
        events += service.advance()
    assert tokens(events) == whole
    assert tokens(answer(service, request)) != whole  # the next one is the new model


def test_a_model_that_is_gone_ends_the_job_with_a_word(model: str) -> None:
    shutil.rmtree(model)
    (end,) = ends(answer(EngineService(), Generate(model, "a", FEW, job=1)))
    assert end.reason == "failed"
    assert end.message


def test_the_untrained_twin_is_another_model_of_the_same_kind(model: str) -> None:
    service = EngineService()
    twin = Generate(model, "abc", SamplingSettings(max_new_tokens=30, seed=1), untrained=True, job=2)
    again = Generate(model, "abc", SamplingSettings(max_new_tokens=30, seed=1), untrained=True, job=3)
    trained = Generate(model, "abc", SamplingSettings(max_new_tokens=30, seed=1), job=1)
    events = answer(service, trained, twin, again)
    assert len(tokens(events, 2)) == 30
    assert tokens(events, 2) == tokens(events, 3) != tokens(events, 1)


def test_rolling_is_refused_where_the_model_was_not_trained_to_slide(tmp_path: Path) -> None:
    make_model(tmp_path / "net", LECTURE)
    sampling = SamplingSettings(window="rolling")
    (end,) = ends(answer(EngineService(), Generate(str(tmp_path / "net"), "a", sampling, job=1)))
    assert (end.reason, "slide" in end.message) == ("failed", True)


async def test_jobs_of_a_killed_process_end_each_with_a_word(model: str) -> None:
    process = EngineProcess()
    engine = Engine(process)
    jobs = [engine.start(Generate(model, "a", SamplingSettings(max_new_tokens=1_000_000))) for _ in range(10)]
    writing: set[int] = set()

    async def read(job: Job) -> list[GenerationEvent]:
        found: list[GenerationEvent] = []
        async for batch in job:
            found += batch
            if any(isinstance(event, Token) for event in batch):
                writing.add(job.number)
            if len(writing) == 10 and process.pid is not None:
                assert process._process is not None
                process._process.kill()
        return found

    async with asyncio.timeout(240):
        found = await asyncio.gather(*(read(job) for job in jobs))
    await engine.close()
    for job, events in zip(jobs, found, strict=True):
        (end,) = ends(events)
        assert (end.job, end.reason, bool(end.message)) == (job.number, "failed", True)
