"""The engine process, for real: what is asked is done, and every job ends exactly once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from makers import CLASSIC, make_model, random_model

from tinygpt_tui import paths
from tinygpt_tui.errors import EngineError
from tinygpt_tui.events import wire
from tinygpt_tui.events.generation import (
    EngineFailed,
    EngineReady,
    GenerationEnded,
    GenerationEvent,
    GenerationStarted,
    ModelOpened,
    Token,
)
from tinygpt_tui.events.requests import Generate, StopJob
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.workers.client import Engine, Job
from tinygpt_tui.workers.engine_process import EngineProcess
from tinygpt_tui.workers.leash import GONE
from tinygpt_tui.workers.process import ENGINE_LOG, command, environment

LONG = SamplingSettings(max_new_tokens=1_000_000, seed=1)
SHORT = SamplingSettings(max_new_tokens=20, seed=1)


class Listener:
    """An engine whose events are all kept: those of its jobs, and its news."""

    def __init__(self) -> None:
        self.process = EngineProcess()
        self.client = Engine(self.process)
        self.events: list[GenerationEvent] = []
        self._of: dict[int, list[GenerationEvent]] = {}
        self._come = asyncio.Event()
        self._readers: list[asyncio.Task[None]] = []
        self.client.on_news = self._take

    def generate(self, model: str, prompt: str, sampling: SamplingSettings) -> Job:
        """Start a job whose events are read."""
        job = self.client.start(Generate(model, prompt, sampling))
        self.follow(job)
        return job

    def follow(self, job: Job) -> None:
        """Read a job's events."""
        self._of[job.number] = []
        self._readers.append(asyncio.create_task(self._read(job)))

    async def _read(self, job: Job) -> None:
        async for events in job:
            self._of[job.number] += events
            self._take(events)

    def _take(self, events: list[GenerationEvent]) -> None:
        self.events += events
        self._come.set()

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait until `there` holds."""
        async with asyncio.timeout(240):
            while not there():
                self._come.clear()
                await self._come.wait()

    async def until_end(self, job: Job) -> GenerationEnded:
        """Wait until the job has ended."""
        await self.until(lambda: bool(self.ends(job)))
        return self.ends(job)[0]

    def of(self, job: Job) -> list[GenerationEvent]:
        return self._of[job.number]

    def ends(self, job: Job) -> list[GenerationEnded]:
        return [event for event in self.of(job) if isinstance(event, GenerationEnded)]

    def tokens(self, job: Job) -> list[Token]:
        return [event for event in self.of(job) if isinstance(event, Token)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model folder."""
    folder = tmp_path_factory.mktemp("models") / "net"
    make_model(folder)
    return str(folder)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared() -> AsyncIterator[Listener]:
    """An engine process for all tests that leave it alive."""
    listener = Listener()
    yield listener
    await listener.client.close()


@pytest.fixture
def listener() -> Listener:
    """An engine process of the test's own; the test closes it."""
    return Listener()


in_one_process = pytest.mark.asyncio(loop_scope="module")


@in_one_process
async def test_it_greets_and_opens_a_model_once(shared: Listener, model: str) -> None:
    for _ in range(3):
        shared.client.open(model)
    job = shared.generate(model, "abc", SHORT)
    await shared.until_end(job)
    ready, opened = shared.events[:2]
    assert isinstance(ready, EngineReady)
    assert ready.pid == shared.client.pid
    assert "torch" in ready.versions
    assert isinstance(opened, ModelOpened)
    assert (opened.model, opened.block_size, opened.vocab_size) == (model, 8, 13)
    assert opened.parameters == random_model(CLASSIC).count_parameters()
    assert sum(isinstance(event, ModelOpened) for event in shared.events) == 1
    assert sum(isinstance(event, EngineReady) for event in shared.events) == 1  # three asked at once


@in_one_process
async def test_a_text_that_waits_sends_each_token_at_once_and_lets_others_write(shared: Listener, model: str) -> None:
    job = shared.client.start(Generate(model, "a", SHORT, allowed=0))
    shared.follow(job)
    for count in range(1, 5):
        job.allow(count)
        await shared.until(lambda count=count: len(shared.tokens(job)) == count)  # type: ignore[misc]
    await shared.until_end(shared.generate(model, "a", SHORT))
    assert len(shared.tokens(job)) == 4
    job.stop()
    assert (await shared.until_end(job)).reason == "stopped"


@in_one_process
async def test_it_writes_what_the_same_model_writes_here(shared: Listener, model: str) -> None:
    job = shared.generate(model, "abcZ", SHORT)
    ended = await shared.until_end(job)
    started = shared.of(job)[0]
    assert isinstance(started, GenerationStarted)
    assert (started.unknown, started.seed, started.step, started.validation_loss) == ("Z", 1, 7, 1.5)
    assert (ended.reason, ended.tokens) == ("length", 20)
    here = GenerationJob(
        TorchEngine(random_model(CLASSIC)), TextGeneration(CharTokenizer("\n abcdefghijk"), 8, "abcZ", SHORT)
    )
    wanted = [event.id for event in here if isinstance(event, Token)]
    assert [token.id for token in shared.tokens(job)] == wanted
    assert [token.index for token in shared.tokens(job)] == list(range(20))


@in_one_process
async def test_stop_ends_a_job_at_its_next_token(shared: Listener, model: str) -> None:
    job = shared.generate(model, "a", LONG)
    await shared.until(lambda: len(shared.tokens(job)) > 3)
    job.stop()
    ended = await shared.until_end(job)
    assert ended.reason == "stopped"
    assert ended.tokens == len(shared.tokens(job))
    job.stop()  # once more does nothing


@in_one_process
async def test_two_jobs_take_turns(shared: Listener, model: str) -> None:
    long = shared.generate(model, "a", LONG)
    short = shared.generate(model, "b", SHORT)
    ended = await shared.until_end(short)
    assert (ended.reason, ended.tokens) == ("length", 20)
    assert shared.ends(long) == []
    long.stop()
    assert (await shared.until_end(long)).reason == "stopped"
    assert len(shared.ends(long)) == len(shared.ends(short)) == 1


@in_one_process
async def test_an_unknown_model_ends_the_job_with_a_message(shared: Listener, model: str) -> None:
    job = shared.generate("/no/such/model", "a", SHORT)
    ended = await shared.until_end(job)
    assert (ended.reason, ended.tokens) == ("failed", 0)
    assert "/no/such/model" in ended.message
    assert ended.hint
    shared.client.open("/no/such/model")
    await shared.until(lambda: any(isinstance(event, EngineFailed) for event in shared.events))
    failed = next(event for event in shared.events if isinstance(event, EngineFailed))
    assert failed.model == "/no/such/model"
    assert (await shared.until_end(shared.generate(model, "a", SHORT))).reason == "length"


@in_one_process
async def test_weights_that_changed_are_read_again(shared: Listener, tmp_path: Path) -> None:
    folder = tmp_path / "growing"
    ids = []
    for seed in (1, 2):
        make_model(folder, seed=seed)
        stamp = 1_000_000_000 + seed
        os.utime(folder / "weights.safetensors", (stamp, stamp))
        job = shared.generate(str(folder), "abc", SHORT)
        await shared.until_end(job)
        ids.append([token.id for token in shared.tokens(job)])
    assert ids[0] != ids[1]


@in_one_process
async def test_a_prompt_that_cannot_be_sent_ends_its_job_alone(shared: Listener, model: str) -> None:
    ended = await shared.until_end(shared.generate(model, "a\udcff", SHORT))
    assert (ended.reason, "half a character at 1" in ended.message) == ("failed", True)
    job = shared.generate(model, "€" * 200_000 + "a", SHORT)  # but a long one can
    assert (await shared.until_end(job)).tokens == 20


async def test_killed_in_mid_word_every_job_ends_once_and_the_next_works(listener: Listener, model: str) -> None:
    client = listener.client
    first, second = listener.generate(model, "a", LONG), listener.generate(model, "b", LONG)
    await listener.until(lambda: bool(listener.tokens(first) and listener.tokens(second)))
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    third = listener.generate(model, "c", SHORT)  # before its death is known
    for job in (first, second, third):
        await listener.until_end(job)
    fourth = listener.generate(model, "d", SHORT)
    assert (await listener.until_end(fourth)).reason == "length"
    assert listener.ends(third)[0].reason in ("failed", "length")
    for job in (first, second):
        (ended,) = listener.ends(job)
        assert ended.reason == "failed"
        assert "signal 9" in ended.message
        assert ended.hint
    assert [len(listener.ends(job)) for job in (first, second, third, fourth)] == [1, 1, 1, 1]
    assert sum(isinstance(event, EngineFailed) for event in listener.events) == 1
    await client.close()
    assert client.pid is None


async def test_no_other_process_is_started_before_the_death_of_the_last_is_told(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    async def tell() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        told.append("death")

    async def start(*arguments: object, **more: object) -> None:
        told.append("start")
        raise OSError("enough")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    listener.process._reader = asyncio.create_task(tell())
    with pytest.raises(EngineError, match="could not be started: enough"):
        await listener.process.start()
    assert told == ["death", "start"]


async def test_closing_kills_what_does_not_listen(listener: Listener) -> None:
    await listener.client.launch()
    pid = listener.client.pid
    assert pid is not None
    await listener.client.close(0.0)
    assert listener.client.pid is None
    assert not psutil.pid_exists(pid)


def test_a_stopped_job_opens_no_model_and_the_process_ends_with_its_stdin(model: str) -> None:
    with subprocess.Popen(
        command("tinygpt_tui.workers.host"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stopped = wire.to_line(Generate("/no/such/model", "a", LONG, job=2)) + wire.to_line(StopJob(2))
        process.stdin.write(b"noise\n" + stopped + wire.to_line(Generate(model, "a", LONG, job=1)))
        process.stdin.flush()
        assert isinstance(wire.generation_event(process.stdout.readline()), EngineReady)
        ended = wire.generation_event(process.stdout.readline())
        assert isinstance(ended, GenerationEnded)
        assert (ended.job, ended.reason, ended.message) == (2, "stopped", "")  # not: there is no such model
        assert isinstance(wire.generation_event(process.stdout.readline()), GenerationStarted)
        process.stdin.close()
        assert process.wait(240) == 0  # in the middle of a million tokens


def test_a_file_in_the_current_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    done = subprocess.run(
        command("tinygpt_tui.workers.host"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=tmp_path,
        env=environment(),
        timeout=240,
        check=False,
    )
    assert b"imported" not in done.stderr
    assert done.returncode in (0, GONE), done.stderr  # GONE: its imports took longer than it may outlive its stdin


def test_the_engines_log_keeps_the_last_death(home: Path) -> None:
    from tinygpt_tui.workers import engine_process

    log = paths.logs_folder() / ENGINE_LOG
    for content in (b"one\n", b"two\n"):
        opened = engine_process._open_log()
        assert not isinstance(opened, int)
        opened.write(content)
        opened.close()
    assert log.read_bytes() == b"one\ntwo\n"
    log.write_bytes(bytes(engine_process.LONGEST_LOG + 1))
    opened = engine_process._open_log()
    assert not isinstance(opened, int)
    opened.close()
    assert log.read_bytes() == b""


@pytest.mark.skipif(os.name == "nt", reason="Windows has other words for a broken pipe")
def test_an_app_that_is_gone_before_the_first_event_is_no_error() -> None:
    pipe = subprocess.PIPE
    engine = command("tinygpt_tui.workers.host")
    with subprocess.Popen(engine, env=environment(), stdin=pipe, stdout=pipe, stderr=pipe) as host:
        assert host.stdout is not None
        assert host.stderr is not None
        host.stdout.close()
        assert host.stderr.read() == b""
    assert host.returncode == 0
