"""Texts that join and leave while others are written are those that jobs of their own write."""

from __future__ import annotations

from pathlib import Path

import pytest
from makers import VARIANTS, make_model

from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.generation.batch import Batch
from tinygpt_tui.generation.text import GenerationJob, TextEvent, TextGeneration
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import OpenedModel, open_model

# At which step who joins, with what: longer and shorter than the window of 8, alike and different.
NEWCOMERS: tuple[tuple[int, str, SamplingSettings], ...] = (
    (0, "abc", SamplingSettings(seed=1, max_new_tokens=20)),
    (0, "abc", SamplingSettings(seed=2, max_new_tokens=3, temperature=0)),
    (2, "kjihgfedcba", SamplingSettings(seed=3, max_new_tokens=15, top_k=3)),
    (5, "", SamplingSettings(seed=4, max_new_tokens=9, repetition_penalty=2.0)),
    (6, "a b", SamplingSettings(seed=5, max_new_tokens=1)),
    (9, "k", SamplingSettings(seed=6, max_new_tokens=30, stop=("a",))),
)


@pytest.mark.parametrize("variant", ["classic", "modern", "sliding", "llama", "gru", "cnn", "backpack that slides"])
@pytest.mark.parametrize("native", [True, False])
def test_each_writes_what_a_job_writes(
    tmp_path: Path, variant: str, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native:
        monkeypatch.setattr("tinygpt_tui.checkpoints.engines.load_library", lambda: None)
    make_model(tmp_path / "net", VARIANTS[variant])
    model = open_model(tmp_path / "net")
    batch = Batch(model.new_batch_engine(3 if variant == "classic" else 6))
    events: list[TextEvent] = []
    waiting = [(at, writing(model, prompt, sampling, job)) for job, (at, prompt, sampling) in enumerate(NEWCOMERS)]
    step = 0
    while waiting or len(batch):
        room = 3 - len(batch) if variant == "classic" else 6
        newcomers = [entry for entry in waiting if entry[0] <= step][:room]
        if newcomers:
            waiting = [entry for entry in waiting if entry not in newcomers]
            events += batch.join([text for _, text in newcomers])
        events += batch.step()
        step += 1
    for job, (_, prompt, sampling) in enumerate(NEWCOMERS):
        alone = GenerationJob(model.new_engine(), TextGeneration(model.tokenizer, 8, prompt, sampling))
        ids = [event.id for event in alone if isinstance(event, Token)]
        assert [event.id for event in events if isinstance(event, Token) and event.job == job] == ids
        (end,) = [event for event in events if isinstance(event, GenerationEnded) and event.job == job]
        assert end.tokens == len(ids)


@pytest.mark.parametrize("variant", ["classic", "gru"])
def test_without_room_a_text_is_refused_and_the_others_continue(tmp_path: Path, variant: str) -> None:
    make_model(tmp_path / "net", VARIANTS[variant])
    model = open_model(tmp_path / "net")
    batch = Batch(model.new_batch_engine(1))
    batch.join([writing(model, "a", SamplingSettings(max_new_tokens=3), 0)])
    with pytest.raises(UsageError, match="room for 0"):
        batch.join([writing(model, "b", SamplingSettings(), 1)])
    assert [type(event).__name__ for event in batch.step()] == ["Token"]


def test_one_that_fails_does_not_affect_the_others(tmp_path: Path) -> None:
    make_model(tmp_path / "net")
    model = open_model(tmp_path / "net")
    batch = Batch(model.new_batch_engine(2))
    good = writing(model, "a", SamplingSettings(max_new_tokens=3, seed=1), 0)
    bad = writing(model, "a", SamplingSettings(max_new_tokens=3, seed=1), 1)
    bad.sampler.draw = nothing_left  # type: ignore[method-assign, assignment]
    bad.sampler.rule = ()  # type: ignore[assignment]  # so it draws alone
    events = batch.join([bad, good])
    while len(batch):
        events += batch.step()
    assert [(event.job, event.reason) for event in events if isinstance(event, GenerationEnded)] == [
        (1, "failed"),
        (0, "length"),
    ]


def nothing_left(*_: object) -> int:
    """Draw from logits of which nothing is left."""
    raise UsageError("no token is left to choose from")


def writing(model: OpenedModel, prompt: str, sampling: SamplingSettings, job: int) -> TextGeneration:
    """Return a text for `model`."""
    return TextGeneration(model.tokenizer, 8, prompt, sampling, job=job)
