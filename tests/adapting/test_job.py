"""A text that is written by a model which adapts to its prompt, and a copy that is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from makers import CLASSIC, make_model

from tinygpt_tui.adapting.keeping import adapted_model
from tinygpt_tui.checkpoints.card import card_of
from tinygpt_tui.checkpoints.importing import import_model
from tinygpt_tui.checkpoints.stored import read_folder
from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.generation import Adapted, GenerationEnded, GenerationStarted, Token
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import OpenedModel, open_model

ADAPT = SamplingSettings(adapt=True, max_new_tokens=12, seed=1)
PROMPT = "badge cabbage decide faded jade iced\n" * 11  # all letters that the model knows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_model(tmp_path / "cat", CLASSIC)
    return tmp_path / "cat"


@pytest.fixture
def opened(folder: Path) -> OpenedModel:
    return open_model(folder)


def text_of(opened: OpenedModel, prompt: str, sampling: SamplingSettings = ADAPT) -> str:
    events = list(opened.new_job(prompt, sampling))
    return "".join(event.text for event in events if isinstance(event, Token | GenerationEnded))


def test_the_prompt_is_read_in_parts_and_what_was_learned_is_said(opened: OpenedModel) -> None:
    events = list(opened.new_job(PROMPT, ADAPT, job=7))
    kinds = [type(event) for event in events]
    assert kinds[0] is GenerationStarted
    assert kinds[-2:] == [Adapted, GenerationEnded]
    assert kinds.count(Token) == 12
    adapted = [event for event in events if isinstance(event, Adapted)]
    reads = [event.read for event in adapted]
    assert reads == sorted(reads)
    assert (adapted[-1].job, adapted[-1].read, adapted[-1].of) == (7, len(PROMPT), len(PROMPT))
    assert adapted[-1].words, "no word of a text that repeats itself was learned"
    assert adapted[-1].steps > 1


def test_it_can_be_stopped_while_it_reads(opened: OpenedModel) -> None:
    job = opened.new_job(PROMPT, ADAPT)
    events = iter(job)
    next(events), next(events)
    job.stop()
    rest = list(events)
    assert not any(isinstance(event, Token) for event in rest)
    assert isinstance(rest[-1], GenerationEnded)
    assert rest[-1].reason == "stopped"


def test_the_same_prompt_and_seed_write_the_same_text(opened: OpenedModel) -> None:
    again = text_of(opened, PROMPT)
    assert text_of(opened, PROMPT) == again  # continues with the copy that has read it
    opened.adaptive_engine().prefill([1, 2, 3])
    assert text_of(opened, PROMPT) == again
    assert text_of(opened, PROMPT, SamplingSettings(max_new_tokens=12, seed=1)) != again


def test_two_jobs_at_once_have_a_copy_each(opened: OpenedModel) -> None:
    alone = text_of(opened, PROMPT)
    one, two = iter(opened.new_job(PROMPT, ADAPT)), iter(opened.new_job(PROMPT[::-1], ADAPT))
    events = []
    for _ in range(10):
        events.append(next(one))
        next(two)
    events += one
    assert "".join(event.text for event in events if isinstance(event, Token | GenerationEnded)) == alone


@pytest.mark.parametrize(
    ("sampling", "words"),
    [(SamplingSettings(adapt=True, weights="int8"), "cannot learn"), (ADAPT, "one text")],
    ids=["int8", "several texts"],
)
def test_what_cannot_adapt_is_refused(opened: OpenedModel, sampling: SamplingSettings, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        opened.new_job(PROMPT, sampling) if words == "cannot learn" else list(opened.samples(PROMPT, sampling, 2))


def test_a_copy_is_kept_with_what_it_comes_from(folder: Path, opened: OpenedModel, tmp_path: Path) -> None:
    before = (folder / "weights.safetensors").read_bytes()
    text_of(opened, PROMPT)
    engine = opened.adaptive_engine()
    import_model(adapted_model(engine, opened.tokenizer, folder), tmp_path / "kept", folder)
    assert (folder / "weights.safetensors").read_bytes() == before
    kept = read_folder(tmp_path / "kept").weights
    assert all(np.array_equal(kept[name], numbers) for name, numbers in engine.weights().items())
    facts = {fact.name: fact for fact in card_of(tmp_path / "kept", "yours").facts}
    assert (facts["base"].value, facts["base"].detail) == ("cat", str(folder))
    assert facts["adapted_to"].value == f"{len(PROMPT)} tokens in {engine.steps} steps"
    assert facts["adapted_to"].detail.endswith("badge cabbage decide faded jade iced bad…")
    assert text_of(open_model(tmp_path / "kept"), "bad", SamplingSettings(seed=1, max_new_tokens=5))


def test_a_copy_that_has_learned_nothing_is_not_kept(folder: Path, opened: OpenedModel) -> None:
    text_of(opened, "bad")
    with pytest.raises(UsageError, match="learned nothing yet"):
        adapted_model(opened.adaptive_engine(), opened.tokenizer, folder)
