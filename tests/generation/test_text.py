"""A generation as its events: text whole, seeds kept, always an end."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from makers import MODERN, ByteTokenizer, ScriptedEngine, random_model

from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, GenerationStarted, Token
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.probabilities import probabilities_of
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer

MODEL = random_model(MODERN)
TOKENIZER = CharTokenizer("\nabcdefghijkl")


def scripted(script: bytes, prompt: str = "a", **sampling: object) -> tuple[list[GenerationEvent], ScriptedEngine]:
    engine = ScriptedEngine(list(script))
    chosen = SamplingSettings(**{"max_new_tokens": len(script), "temperature": 0.0, **sampling})  # type: ignore[arg-type]
    return list(GenerationJob(engine, TextGeneration(ByteTokenizer(), 8, prompt, chosen, job=3))), engine


def text_of(events: list[GenerationEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token | GenerationEnded))


def end_of(events: list[GenerationEvent]) -> GenerationEnded:
    assert isinstance(events[0], GenerationStarted)
    assert isinstance(events[-1], GenerationEnded)
    assert all(isinstance(event, Token) for event in events[1:-1])
    return events[-1]


def sampled(prompt: str = "abc", **sampling: object) -> list[GenerationEvent]:
    chosen = SamplingSettings(**{"temperature": 1.0, "max_new_tokens": 30, **sampling})  # type: ignore[arg-type]
    return list(GenerationJob(TorchEngine(MODEL), TextGeneration(TOKENIZER, 8, prompt, chosen)))


def test_events_come_in_order_and_count() -> None:
    events, engine = scripted(b"xyz", prompt="ab")
    started = events[0]
    assert isinstance(started, GenerationStarted)
    assert (started.job, started.prompt_tokens, started.block_size, started.unknown) == (3, 2, 8, "")
    tokens = [event for event in events if isinstance(event, Token)]
    assert [(token.job, token.index, token.id, token.text, token.context_used) for token in tokens] == [
        (3, 0, ord("x"), "x", 2),
        (3, 1, ord("y"), "y", 3),
        (3, 2, ord("z"), "z", 4),
    ]
    ended = end_of(events)
    assert (ended.job, ended.reason, ended.tokens, ended.text) == (3, "length", 3, "")
    assert ended.seconds_to_first is not None
    assert 0 <= ended.seconds_to_first <= ended.seconds
    assert engine.shown == list(b"abxy")  # the last token is not shown to the model: nobody asks what follows


def test_nothing_asked_is_nothing_written() -> None:
    events, engine = scripted(b"", prompt="ab")
    assert end_of(events).tokens == 0
    assert end_of(events).seconds_to_first is None
    assert engine.shown == []


@pytest.mark.parametrize("prompt", ["", "ЖЖ"])
def test_an_empty_prompt_begins_a_new_line(prompt: str) -> None:
    engine = ScriptedEngine([1], size=13)
    events = list(GenerationJob(engine, TextGeneration(TOKENIZER, 8, prompt, SamplingSettings(max_new_tokens=1))))
    assert engine.shown == [0]
    assert isinstance(events[0], GenerationStarted)
    assert (events[0].prompt_tokens, events[0].unknown) == (0, prompt[:1])


def test_without_a_new_line_in_the_vocabulary_the_first_token_begins() -> None:
    engine = ScriptedEngine([1], size=2)
    list(GenerationJob(engine, TextGeneration(CharTokenizer("ab"), 8, "", SamplingSettings(max_new_tokens=1))))
    assert engine.shown == [0]


def test_a_character_is_shown_when_its_last_byte_has_come() -> None:
    events, _ = scripted("é日".encode())
    assert [event.text for event in events if isinstance(event, Token)] == ["", "é", "", "", "日"]


def test_half_a_character_at_the_end_is_shown_as_broken() -> None:
    events, _ = scripted("a日".encode()[:-1])
    assert text_of(events) == "a\ufffd"
    assert end_of(events).text == "\ufffd"


def test_a_stop_text_ends_it_and_is_not_shown() -> None:
    events, engine = scripted(b"one two three", stop=("two",))
    assert text_of(events) == "one "
    assert (end_of(events).reason, end_of(events).tokens, end_of(events).text) == ("stop text", 7, "")
    assert len(engine.shown) == 1 + 6


def test_what_was_held_back_for_nothing_comes_with_the_end() -> None:
    events, _ = scripted(b"so tw", stop=("two",))
    assert [event.text for event in events if isinstance(event, Token)] == ["s", "o", " ", "", ""]
    assert (end_of(events).text, end_of(events).reason) == ("tw", "length")


def test_a_stop_text_of_several_bytes_is_found() -> None:
    events, _ = scripted("aé日b".encode(), stop=("é日",))
    assert (text_of(events), end_of(events).reason) == ("a", "stop text")


@given(st.text("ab", max_size=4), st.text("ab", max_size=12))
def test_the_output_is_the_text_up_to_the_stop_text(stop: str, text: str) -> None:
    events, _ = scripted(text.encode(), stop=(stop,))
    assert text_of(events) == (text.split(stop)[0] if stop else text)


def test_of_several_stop_texts_the_first_to_end_counts() -> None:
    events, _ = scripted(b"one two three", stop=("three", "wo", " two t"))
    assert (text_of(events), end_of(events).reason) == ("one t", "stop text")


def test_a_blank_line_ends_it_where_that_was_asked() -> None:
    events, _ = scripted(b"one\n\ntwo", stop_at_blank_line=True)
    assert (text_of(events), end_of(events).reason) == ("one", "blank line")
    assert text_of(scripted(b"one\n\ntwo")[0]) == "one\n\ntwo"


class EndingTokenizer(ByteTokenizer):
    """A byte says that a text ends."""

    end_of_text = 0


def test_the_end_of_a_text_ends_it_and_is_not_shown() -> None:
    ending = SamplingSettings(temperature=0, max_new_tokens=6, stop=("xy",))

    def written(sampling: SamplingSettings) -> list[GenerationEvent]:
        return list(GenerationJob(ScriptedEngine(list(b"abx\0cd")), TextGeneration(EndingTokenizer(), 8, "", sampling)))

    events = written(ending)
    assert (text_of(events), end_of(events).reason, end_of(events).tokens) == ("abx", "end of text", 4)
    assert text_of(written(msgspec.structs.replace(ending, stop_at_end_of_text=False))) == "abx\0cd"


def test_what_the_engine_is_is_told() -> None:
    engine = ScriptedEngine([1])
    engine.window = "reanchor"
    job = GenerationJob(
        engine,
        TextGeneration(
            ByteTokenizer(), 8, "", SamplingSettings(max_new_tokens=1, weights="int8"), engine_name="native"
        ),
    )
    started = next(iter(job))
    assert isinstance(started, GenerationStarted)
    assert (started.window, started.weights, started.engine) == ("reanchor", "int8", "native")


class KeepingEngine(ScriptedEngine):
    """Answers with numbers like a model's, and keeps them."""

    def __init__(self) -> None:
        super().__init__([])
        self.said: list[Any] = []

    def _next(self) -> Any:
        self.context_used = len(self.shown)
        logits = np.random.default_rng(len(self.shown)).normal(size=256).astype(np.float32)
        self.said.append(logits.copy())
        return logits


@pytest.mark.parametrize("candidates", [0, 3])
def test_chances_are_the_models_own_opinion_whatever_the_filters(candidates: int) -> None:
    engine = KeepingEngine()
    sampling = SamplingSettings(max_new_tokens=5, seed=1, top_k=4, temperature=0.5, banned="abc", repetition_penalty=2)
    tokens = [
        event
        for event in GenerationJob(engine, TextGeneration(ByteTokenizer(), 8, "xy", sampling, candidates=candidates))
        if isinstance(event, Token)
    ]
    assert [token.chance for token in tokens] == [
        probabilities_of(logits, token.id, candidates, ByteTokenizer())
        for token, logits in zip(tokens, engine.said, strict=True)
    ]
    assert all(token.chance and len(token.chance.candidates) == candidates for token in tokens)


def test_nobody_asks_for_chances_and_none_are_told() -> None:
    assert all(event.chance is None for event in scripted(b"abc")[0] if isinstance(event, Token))


def test_banned_and_allowed_characters_shape_the_text() -> None:
    events = sampled(banned="abc", seed=3)
    assert not set(text_of(events)) & set("abc")
    assert set(text_of(sampled(allowed="def", seed=3))) <= set("def")
    with pytest.raises(UsageError, match="can write nothing"):
        next(
            iter(GenerationJob(TorchEngine(MODEL), TextGeneration(TOKENIZER, 8, "a", SamplingSettings(allowed="XYZ"))))
        )


def test_the_prompt_counts_for_the_repetition_penalty() -> None:
    engine = KeepingEngine()
    likeliest = int(np.random.default_rng(1).normal(size=256).astype(np.float32).argmax())
    sampling = SamplingSettings(max_new_tokens=1, temperature=0, repetition_penalty=10)
    job = GenerationJob(engine, TextGeneration(ByteTokenizer(), 8, "", sampling))
    assert [event.id for event in job if isinstance(event, Token)] == [likeliest]

    class Known(ByteTokenizer):
        def encode(self, text: str) -> list[int]:
            return [likeliest] if text else []

    job = GenerationJob(KeepingEngine(), TextGeneration(Known(), 8, "x", sampling))
    assert likeliest not in [event.id for event in job if isinstance(event, Token)]


def test_an_engine_without_numbers_is_an_error_after_what_was_written() -> None:
    class Damaged(ScriptedEngine):
        def _next(self) -> Any:
            logits = super()._next()
            return logits if len(self.shown) < 3 else np.full_like(logits, np.nan)

    job = GenerationJob(
        Damaged(list(b"abc")), TextGeneration(ByteTokenizer(), 8, "x", SamplingSettings(max_new_tokens=3))
    )
    events: list[GenerationEvent] = []
    with pytest.raises(CheckpointError, match="nan instead of numbers"):
        events.extend(job)
    assert text_of(events) == "ab"


def test_stop_ends_it_at_the_next_token_and_keeps_what_was_written() -> None:
    job = GenerationJob(
        ScriptedEngine(list(b"abcdef")), TextGeneration(ByteTokenizer(), 8, "x", SamplingSettings(stop=("bz",)))
    )
    events: list[GenerationEvent] = []
    for event in job:
        events.append(event)
        if isinstance(event, Token) and event.index == 1:
            job.stop()
    assert (end_of(events).reason, end_of(events).tokens, text_of(events)) == ("stopped", 2, "ab")


def test_the_same_seed_writes_the_same_text() -> None:
    first, second = sampled(seed=5), sampled(seed=5)
    assert text_of(first) == text_of(second)
    assert text_of(first) != text_of(sampled(seed=6))
    assert text_of(first)[:10] == text_of(sampled(seed=5, max_new_tokens=10))


def test_a_seed_nobody_chose_is_told_and_writes_the_same_again() -> None:
    runs = [sampled() for _ in range(3)]
    assert len({text_of(events) for events in runs}) == 3
    started = runs[0][0]
    assert isinstance(started, GenerationStarted)
    assert text_of(sampled(seed=started.seed)) == text_of(runs[0])


def test_generation_and_the_global_random_numbers_leave_each_other_alone() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()
    first = text_of(sampled(seed=5))
    assert torch.equal(torch.get_rng_state(), before[0])
    after = np.random.get_state()
    assert np.array_equal(after[1], before[1][1])  # type: ignore[index]
    assert after[2] == before[1][2]  # type: ignore[index]
    torch.manual_seed(2)
    np.random.seed(2)
    assert text_of(sampled(seed=5)) == first


def test_the_stamp_of_a_model_in_training_is_handed_on() -> None:
    job = GenerationJob(
        TorchEngine(MODEL),
        TextGeneration(TOKENIZER, 8, "a", SamplingSettings(max_new_tokens=1), step=40, validation_loss=2.5),
    )
    started = next(iter(job))
    assert isinstance(started, GenerationStarted)
    assert (started.step, started.validation_loss) == (40, 2.5)
