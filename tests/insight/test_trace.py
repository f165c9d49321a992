"""The walk as the app asks for it: prompts of all kinds, and never too much to send."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from makers import VARIANTS, make_model, random_model, tiny_gpt

from tinygpt_tui.events import wire
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent
from tinygpt_tui.events.requests import Trace
from tinygpt_tui.events.tracing import LensRow, Traced, TraceStarted, TraceStep
from tinygpt_tui.insight.pictures import ROOM, picture_of, rows_for, weights_picture
from tinygpt_tui.insight.trace import TraceJob
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.ui.inspect.heat import table_of
from tinygpt_tui.workers.service import EngineService

LETTERS = CharTokenizer("\n abcdefghijk")


def walk(settings: ArchitectureSettings, text: str) -> list[GenerationEvent]:
    return list(TraceJob(random_model(settings), LETTERS, text, job=4))


def begun(events: list[GenerationEvent]) -> TraceStarted:
    assert isinstance(events[0], TraceStarted)
    return events[0]


def steps_of(events: list[GenerationEvent]) -> list[TraceStep]:
    return [step for event in events if isinstance(event, Traced) for step in event.steps]


def lens_of(events: list[GenerationEvent]) -> list[LensRow]:
    return [row for event in events if isinstance(event, Traced) for row in event.lens]


@pytest.mark.parametrize("name", ["classic", "modern", "llama", "rnn", "gru", "lstm", "cnn", "bigram", "backpack"])
def test_a_walk_has_a_beginning_steps_guesses_and_an_end(name: str) -> None:
    settings = VARIANTS[name]
    events = walk(settings, "abc dab")
    assert begun(events).tokens == tuple("abc dab")
    assert begun(events).ids == tuple(LETTERS.encode("abc dab"))
    assert isinstance(events[-1], GenerationEnded)
    assert {event.job for event in events} == {4}  # type: ignore[union-attr]
    steps, lens = steps_of(events), lens_of(events)
    assert [step.number for step in steps] == list(range(len(steps)))
    assert len(lens) == settings.n_layer + 1
    logits = table_of(steps[-1].pictures[0])
    for row, guesses in zip(logits, lens[-1].guesses, strict=True):  # the net's own answer is that of its last step
        highest = max(row)
        mass = sum(math.exp(number - highest) for number in row)
        assert guesses[0].probability == pytest.approx(1 / mass, rel=0.01)
        assert LETTERS.encode(guesses[0].text) == [row.index(highest)]
    # Each row of the lens is found from the step that it stands beside, the last one of its block.
    for layer, row in enumerate(lens[1:], start=1):
        step = steps[row.step]
        assert step.place[0] == f"block {layer}"
        following = steps[row.step + 1]
        assert following.place[:1] != step.place[:1]
    for event in events:
        assert wire.generation_event(wire.to_line(event)) == event


def test_a_long_prompt_is_cut_to_the_window_and_it_is_said() -> None:
    events = walk(tiny_gpt(), "abcdefghijk" * 3)
    assert (len(begun(events).tokens), begun(events).left_out) == (8, 25)
    assert begun(events).tokens == tuple(("abcdefghijk" * 3)[-8:])
    assert steps_of(events)[0].shape == (1, 8)


def test_a_net_without_a_window_reads_more_than_it_was_trained_on_at_once() -> None:
    events = walk(VARIANTS["lstm"], "abc" * 30)
    assert (len(begun(events).tokens), begun(events).left_out) == (64, 26)


def test_where_the_head_cannot_read_the_embedding_no_guess_is_made_of_it() -> None:
    lens = lens_of(walk(VARIANTS["lstm, plain"], "abc"))
    assert [len(row.guesses) for row in lens] == [0, 3, 3, 3]


@pytest.mark.parametrize("text", ["", "Ж∑💥", "\ud800"])
def test_where_there_is_nothing_to_read_it_begins_as_a_writing_does(text: str) -> None:
    events = walk(tiny_gpt(), text)
    assert (begun(events).tokens, begun(events).empty) == (("\n",), True)
    assert set(begun(events).unknown) == set(text)
    assert steps_of(events)[-1].shape == (1, 1, 13)


def test_a_walk_through_a_wide_window_and_many_layers_is_small_enough_to_send() -> None:
    settings = tiny_gpt(block_size=1024, n_layer=6, n_head=6, n_embd=96)
    lines = [wire.to_line(event) for event in walk(settings, "abcdefghijk" * 200)]
    assert sum(map(len, lines)) < 8 << 20
    assert max(map(len, lines)) < 1 << 20


def test_the_larger_the_net_the_fewer_tokens_are_drawn() -> None:
    assert rows_for(tiny_gpt()) == 64
    gpt2_xl = GPTSettings(vocab_size=50257, block_size=1024, n_layer=48, n_head=25, n_embd=1600)
    assert 8 <= rows_for(gpt2_xl) < 64
    assert ROOM < 8 << 20


def test_a_picture_shows_the_strongest_of_its_neighbours() -> None:
    table = torch.zeros(3, 100)
    table[1, 7], table[2, 99] = -5.0, 2.0
    picture = picture_of(table, rows=2, most_columns=10)
    assert (picture.rows, picture.columns, picture.each) == (2, 10, 10)
    first, second = table_of(picture)
    assert first == (-5.0, *[0.0] * 9)
    assert second == (*[0.0] * 9, 2.0)


def test_weights_on_what_is_not_drawn_are_summed_up_in_front() -> None:
    weights = torch.full((2, 10), 0.1)
    for row in table_of(weights_picture(weights, rows=2)):
        assert row == pytest.approx((0.8, 0.1, 0.1), abs=1e-3)


def test_numbers_that_are_none_do_not_break_the_walk() -> None:
    model = random_model(tiny_gpt())
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))  # type: ignore[union-attr,operator]
    events = list(TraceJob(model, LETTERS, "abc"))
    for event in events:
        assert wire.generation_event(wire.to_line(event)) == event


def answer(service: EngineService, request: Trace) -> list[GenerationEvent]:
    events = service.handle(0.0, request)
    while service.busy:
        events += service.advance()
    return events


def test_the_engine_walks_through_a_model_and_its_untrained_twin(tmp_path: Path) -> None:
    make_model(tmp_path / "net", tiny_gpt())
    service, model = EngineService(), str(tmp_path / "net")
    own, twin, again = (answer(service, Trace(model, "abc", untrained=number > 1, job=number)) for number in (1, 2, 3))
    assert steps_of(own)[-1].pictures != steps_of(twin)[-1].pictures
    assert steps_of(twin) == steps_of(again)


def test_what_cannot_be_opened_ends_the_walk_with_a_word(tmp_path: Path) -> None:
    (end,) = answer(EngineService(), Trace(str(tmp_path / "nothing"), "abc", job=1))
    assert isinstance(end, GenerationEnded)
    assert (end.reason, bool(end.message)) == ("failed", True)


def test_a_checkpoint_of_another_program_is_walked_as_what_it_is(fixtures: Path) -> None:
    for path in ("hf-gpt2", "nanogpt"):
        events = answer(EngineService(), Trace(str(fixtures / path), "the cat", job=1))
        assert isinstance(events[-1], GenerationEnded)
        assert events[-1].reason == "length", events[-1]
        assert begun(events).architecture == "gpt"
        assert steps_of(events)[-1].kind == "logits"
