"""Many requests at once: none waits for another, and too many are refused."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import httpx
import numpy as np
import pytest
from makers import VARIANTS, random_model, wait_until
from numpy.typing import NDArray

from tinygpt_tui.events.generation import GenerationEnded
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.generation.text import TextEvent, TextGeneration
from tinygpt_tui.server.models import ServedModels
from tinygpt_tui.server.problems import Problem
from tinygpt_tui.server.scheduler import Job, Scheduler
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import OpenedModel, TorchModel

from .conftest import Served


class Reader:
    """A client that reads texts; while the gate is shut, the scheduler waits for it."""

    def __init__(self, model: OpenedModel, job: int, tokens: int, texts: int = 1, gate: threading.Event | None = None):
        self.events: list[TextEvent] = []
        self._gate = gate
        sampling = SamplingSettings(max_new_tokens=tokens, seed=1)
        texts = [TextGeneration(model.tokenizer, 8, "abc", sampling, job=job, sample=sample) for sample in range(texts)]
        self.job = Job(model, "auto", texts, self._take)

    def _take(self, events: Sequence[TextEvent]) -> None:
        self.events += events
        if self._gate is not None:
            assert self._gate.wait(240)

    @property
    def reasons(self) -> list[str]:
        """How those of its texts ended that have."""
        return [event.reason for event in self.events if isinstance(event, GenerationEnded)]


@pytest.fixture
def model(models: None) -> OpenedModel:
    """Return a model that is open."""
    return ServedModels().open("letters")


def test_a_short_text_does_not_wait_for_a_long_one(served: Served, model: OpenedModel) -> None:
    long, short = Reader(model, 1, 1_000_000), Reader(model, 2, 5)
    served.scheduler.submit(long.job)
    wait_until(lambda: len(long.events) > 10)
    served.scheduler.submit(short.job)
    wait_until(lambda: short.reasons == ["length"])
    assert not long.reasons
    long.job.cancel()
    wait_until(lambda: long.reasons == ["stopped"])
    wait_until(lambda: served.scheduler.texts == 0)


def test_texts_of_any_architecture_share_each_pass(served: Served) -> None:
    model = ServedModels().open("state")
    assert isinstance(model, TorchModel)
    passes: list[int] = []
    model._model.register_forward_hook(lambda net, inputs, logits: passes.append(len(logits)))
    reader = Reader(model, 1, 10, texts=4)
    served.scheduler.submit(reader.job)
    wait_until(lambda: reader.reasons == ["length"] * 4)
    assert passes == [1, *[4] * 9]  # the prompt of all four is the same


def test_who_would_wait_too_long_is_told_to_come_again(served: Served, model: OpenedModel) -> None:
    running = Reader(model, 1, 1_000_000, texts=4)
    served.scheduler.submit(running.job)
    wait_until(lambda: len(running.events) > 20)
    waiting, refused = Reader(model, 2, 3), Reader(model, 3, 3)
    served.scheduler.submit(waiting.job)
    with pytest.raises(Problem) as told:
        served.scheduler.submit(refused.job)
    assert told.value.status == 429
    assert told.value.headers == {"Retry-After": "1"}
    assert not waiting.events
    running.job.cancel()
    wait_until(lambda: waiting.reasons == ["length"])


def test_who_waits_and_goes_leaves_the_place_to_others(served: Served, model: OpenedModel) -> None:
    running = Reader(model, 1, 1_000_000, texts=4)
    served.scheduler.submit(running.job)
    wait_until(lambda: len(running.events) > 20)
    gone, next_one = Reader(model, 2, 3), Reader(model, 3, 3)
    served.scheduler.submit(gone.job)
    gone.job.cancel()
    served.scheduler.submit(next_one.job)
    running.job.cancel()
    wait_until(lambda: next_one.reasons == ["length"])
    assert not gone.events


def test_a_job_that_is_cancelled_while_it_waits_never_starts(served: Served, model: OpenedModel) -> None:
    running = Reader(model, 1, 1_000_000, texts=4)
    served.scheduler.submit(running.job)
    wait_until(lambda: len(running.events) > 20)
    gone, next_one = Reader(model, 2, 3), Reader(model, 3, 3)
    served.scheduler.submit(gone.job)
    gone.job.cancel()
    running.job.cancel()
    wait_until(lambda: not served.scheduler._waiting)  # the next one's arrival would drop it, too
    served.scheduler.submit(next_one.job)
    wait_until(lambda: next_one.reasons == ["length"])
    assert not gone.events


async def test_a_request_too_many_is_answered_429(
    served: Served, client: httpx.AsyncClient, model: OpenedModel
) -> None:
    running, waiting = Reader(model, 1001, 1_000_000, texts=4), Reader(model, 1002, 3)
    served.scheduler.submit(running.job)
    wait_until(lambda: len(running.events) > 20)
    served.scheduler.submit(waiting.job)
    answer = await client.post("/v1/completions", json={"model": "letters", "prompt": "a"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    running.job.cancel()


def test_closing_ends_all_texts_and_says_so(models: None, model: OpenedModel) -> None:
    scheduler = Scheduler(4, 4)
    scheduler.start()
    running, waiting = Reader(model, 1, 1_000_000, texts=4), Reader(model, 2, 3)
    scheduler.submit(running.job)
    scheduler.submit(waiting.job)
    wait_until(lambda: len(running.events) > 20)
    scheduler.close()
    assert running.reasons == ["stopped"] * 4
    assert waiting.reasons == ["stopped"]
    with pytest.raises(Problem):
        scheduler.submit(Reader(model, 3, 1).job)


class Breaking(SlotBatchEngine):
    """An engine that reads a text and cannot go on."""

    def step(self, ids: Sequence[int]) -> NDArray[np.float32]:
        raise RuntimeError("a wire is loose")


def test_an_engine_that_breaks_takes_only_its_own_along(
    served: Served, model: OpenedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ServedModels().open("state")
    net = random_model(VARIANTS["gru"])
    monkeypatch.setattr(other, "new_batch_engine", lambda texts, window: Breaking(net, texts))
    healthy, broken = Reader(model, 1, 1_000_000), Reader(other, 2, 10)
    served.scheduler.submit(healthy.job)
    served.scheduler.submit(broken.job)
    wait_until(lambda: broken.reasons == ["failed"])
    before = len(healthy.events)
    wait_until(lambda: len(healthy.events) > before + 10)
    healthy.job.cancel()
    assert "a wire is loose" in capsys.readouterr().err
