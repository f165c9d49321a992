"""What is known of a text's characters, and what is asked next."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygpt_tui.events.generation import (
    Candidate,
    EndReason,
    Explained,
    GenerationEnded,
    GenerationEvent,
    Token,
    TokenProbabilities,
    TokenSeen,
)
from tinygpt_tui.events.requests import Control, StopJob
from tinygpt_tui.ui.shared import surprise_index as module
from tinygpt_tui.ui.shared.surprise_index import (
    FAR,
    FIRST,
    NEAR,
    SPLIT,
    SURPRISING,
    Span,
    SurpriseIndex,
    level_of,
    surprise_bits,
)
from tinygpt_tui.workers.client import Job

EXPECTED, SURPRISE = 0.9, 1 / 512
NOWHERE = Span(0, 0)


def chance(probability: float, *texts: str) -> TokenProbabilities:
    return TokenProbabilities(probability, 1, 1.0, tuple(Candidate(id, text, 0.1) for id, text in enumerate(texts)))


def seen(start: int, end: int, probability: float | None = EXPECTED, id: int = 7, texts: str = "xyz") -> TokenSeen:
    return TokenSeen(start, end, id, None if probability is None else chance(probability, *texts))


def ended(job: int, reason: EndReason = "length", message: str = "") -> GenerationEnded:
    return GenerationEnded(job, reason, 0, 0.0, None, message=message)


def explained(length: int, *tokens: TokenSeen) -> SurpriseIndex:
    """What is known of a text of so many characters, all of which were asked about."""
    index = SurpriseIndex()
    index.reset(length)
    while index.ask(None, Span(0, length)) is not None:
        index.apply_events([Explained(1, tokens), ended(1)])
    return index


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(module).failed == 0


def test_surprise_is_one_bit_for_each_halving() -> None:
    assert [surprise_bits(probability) for probability in (1.0, 0.5, 1 / 64)] == [0.0, 1.0, 6.0]
    assert math.isfinite(surprise_bits(0.0))
    assert [level_of(surprise_bits(2.0**-bits)) for bits in (0, 1, 2, 4, 6, 9)] == [1, 2, 3, 4, 5, 6]


# Asking


def test_the_character_under_the_cursor_comes_first_then_what_is_after_it_then_before() -> None:
    index = SurpriseIndex()
    index.reset(1000)
    sight, stretches = Span(100, 500), []
    while (question := index.ask(300, sight)) is not None:
        stretches.append((question.start, question.end))
        index.apply_events(
            [
                Explained(len(stretches), tuple(seen(at, at + 1) for at in range(question.start, question.end))),
                ended(len(stretches)),
            ]
        )
    assert stretches == [(300, 300 + NEAR), (300 + NEAR, 500), (100, 300)]
    assert index.info(300).state == "known"
    assert index.info(99).state == "waiting"


def test_one_question_at_a_time_and_none_that_is_too_long() -> None:
    index = SurpriseIndex()
    index.reset(10 * FAR)
    question = index.ask(None, Span(0, 10 * FAR))
    assert question is not None
    assert (question.start, question.end) == (0, FAR)
    assert index.ask(None, Span(0, 10 * FAR)) is None


@given(st.data())
@settings(deadline=None)
def test_asking_comes_to_an_end_when_all_in_sight_is_known(data: st.DataObject) -> None:
    length = data.draw(st.integers(0, 700))
    index = SurpriseIndex()
    index.reset(length)
    cursor = data.draw(st.none() | st.integers(0, max(0, length - 1)))
    sight = Span(data.draw(st.integers(0, length)), data.draw(st.integers(0, length + 5)))
    questions = 0
    while (question := index.ask(cursor, sight)) is not None:
        questions += 1
        assert 0 <= question.start < question.end <= length
        answered = data.draw(st.integers(question.start, question.end))  # it may be silent about the rest
        index.apply_events([Explained(questions, tuple(seen(at, at + 1) for at in range(question.start, answered)))])
        index.apply_events([ended(questions)])
    assert questions <= 3 + length // FAR
    for offset in {*range(sight.start, min(sight.end, length)), *([] if cursor is None or not length else [cursor])}:
        assert index.info(offset).state in ("known", "unknown")


def test_a_question_that_the_cursor_has_left_is_given_up() -> None:
    index = SurpriseIndex()
    index.reset(1000)
    sight, stopped = Span(0, 400), list[Control]()
    question = index.ask(None, sight)
    assert question is not None
    index.stop_stale(300, sight)  # it was not sent yet
    question.job = Job(5, stopped.append)
    index.stop_stale(100, sight)
    index.apply_events([Explained(5, tuple(seen(at, at + 1) for at in range(200)))])
    index.stop_stale(100, sight)  # that one is known; the rest is in sight
    assert stopped == []
    index.stop_stale(300, sight)
    index.stop_stale(300, sight)
    assert stopped == [StopJob(5)]  # once is enough
    index.apply_events([ended(5, "stopped")])
    again = index.ask(300, sight)
    assert again is not None
    assert again.start == 300
    again.job = Job(6, stopped.append)
    index.stop_stale(None, sight)
    assert stopped == [StopJob(5)]
    index.stop_stale(None, Span(600, 800))
    assert stopped == [StopJob(5), StopJob(6)]


def test_answers_about_another_text_are_not_taken() -> None:
    index = SurpriseIndex()
    index.reset(10)
    question = index.ask(0, Span(0, 10))
    assert question is not None
    stopped: list[Control] = []
    question.job = Job(4, stopped.append)
    index.reset(5)
    assert stopped == [StopJob(4)]
    assert index.apply_events([Explained(4, (seen(0, 1),))]) is None
    assert index.info(0).state == "waiting"


def test_what_stands_before_a_change_stays_known() -> None:
    index = explained(4, *(seen(at, at + 1) for at in range(4)))
    index.resize(2, 6)
    assert [index.info(at).state for at in range(6)] == ["known"] * 2 + ["waiting"] * 4
    assert list(index.levels) == [1, 1, 0, 0, 0, 0]
    question = index.ask(None, Span(0, 6))
    assert question is not None
    index.resize(3, 8)  # while the answer is on its way
    index.apply_events([Explained(2, tuple(seen(at, at + 1) for at in range(2, 6)))])
    assert [index.info(at).state for at in range(8)] == ["known"] * 3 + ["waiting"] * 5


def test_a_failure_is_said_and_nothing_is_asked_until_it_is_forgiven() -> None:
    index = SurpriseIndex()
    index.reset(3)
    question = index.ask(0, NOWHERE)
    assert question is not None
    index.apply_events([ended(1, "failed", "the engine process ended")])
    assert index.info(0).state == "failed"
    assert index.info(0).problem == "the engine process ended"
    assert index.ask(0, NOWHERE) is None
    index.clear_error()
    assert index.ask(0, NOWHERE) is not None


# What a character's tokens say


def test_characters_and_tokens_need_not_be_the_same() -> None:
    index = explained(
        5,
        seen(0, 1, None, id=3),  # nothing before it
        seen(1, 2, 0.5),  # one character in two tokens
        seen(1, 2, 0.25),
        seen(2, 4, 0.125),  # one token of two characters
        TokenSeen(4, 5, -1, None),  # not known to the model
    )
    assert [index.info(at).state for at in range(5)] == ["first", "known", "known", "known", "unknown"]
    assert index.info(1).probability == 0.125
    assert [index.surprise(at) for at in range(5)] == [None, 3.0, 3.0, 3.0, None]
    assert list(index.levels) == [0, 3, 3, 3, 0]
    assert (index.info(3).start, index.info(3).end) == (2, 4)


def test_text_can_resume_only_from_a_whole_character() -> None:
    index = explained(3, seen(0, 1, texts="ab\ufffd"), seen(1, 2), seen(1, 3, id=8), seen(2, 3))
    assert [index.info(0).other(place) for place in (-1, 0, 1, 2, 3)] == [None, "a", "b", None, None]
    assert index.info(1).whole
    assert not index.info(2).whole  # its first token begins inside the character before
    assert index.info(2).other(0) is None


def test_written_tokens_tell_their_chances_themselves() -> None:
    index = SurpriseIndex()
    index.reset(2)
    index.resize(2, 6)
    texts = ["a", "", "é", "bc", ""]
    tokens = [Token(1, index, 0, text, 1, chance(SURPRISE, "x")) for index, text in enumerate(texts)]
    assert index.written(tokens, 2) == Span(2, 6)
    # The é was written in two tokens; which of them said what is not kept apart here.
    assert [index.info(at).state for at in range(2, 6)] == ["known", "waiting", "known", "known"]
    index.resize(6, 8)
    # Of the d, which has no chance, it is known that a token begins there.
    assert index.written([Token(1, 5, 0, "ñ", 1, chance(SURPRISE, "x")), Token(1, 6, 0, "d", 1)], 6) == Span(7, 8)


def test_written_tokens_without_candidates_are_coloured_and_asked_about_when_looked_at() -> None:
    index = SurpriseIndex()
    index.reset(1)
    assert index.written([Token(1, 0, 0, "a", 1, chance(SURPRISE))], 0) == Span(0, 1)
    assert list(index.levels) == [6]
    assert index.ask(None, Span(0, 1)) is None
    assert index.ask(0, Span(0, 1)) is not None


# Memory


def test_the_candidates_of_the_latest_characters_alone_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DETAILED", 10)
    index = explained(100, *(seen(at, at + 1) for at in range(100)))
    assert all(level == 1 for level in index.levels)
    assert [at for at in range(100) if index.info(at).state == "known"] == list(range(90, 100))
    assert index.ask(None, Span(0, 100)) is None  # colours need no more
    question = index.ask(5, Span(0, 100))  # the cursor does
    assert question is not None
    assert question.start == 5


# Jumping


def test_a_jump_goes_to_what_is_surprising_or_not_known() -> None:
    surprising = {3, 4, 8}
    index = explained(10, *(seen(at, at + 1, SURPRISE if at in surprising else EXPECTED) for at in range(10)))
    assert {at for at in range(10) if index.levels[at] >= SURPRISING} == surprising
    assert [index.next_surprising(at, 1) for at in (0, 3, 4, 8, 9)] == [3, 4, 8, None, None]
    assert [index.next_surprising(at, -1) for at in (9, 8, 4, 3, 0)] == [8, 4, 3, None, None]
    index.resize(6, 12)
    assert index.next_surprising(4, 1) == 6
    assert index.next_surprising(11, -1) == 10


def test_a_jump_takes_a_token_of_several_characters_as_one() -> None:
    index = explained(9, seen(0, 3, SURPRISE), seen(3, 6), seen(6, 9, SURPRISE))
    assert index.next_surprising(1, 1) == 6
    assert index.next_surprising(7, -1) == 0
    assert index.next_surprising(2, -1) is None


@given(st.lists(st.sampled_from(["ask", "append", "cut", "answer", "end"]), max_size=30), st.data())
@settings(deadline=None)
def test_whatever_happens_the_lengths_agree(steps: list[str], data: st.DataObject) -> None:
    index = SurpriseIndex()
    jobs = 0
    for step in steps:
        length = len(index)
        question = index.question
        if step == "append":
            index.resize(length, length + data.draw(st.integers(0, 5)))
        elif step == "cut":
            index.resize(data.draw(st.integers(0, length)), data.draw(st.integers(length, length + 3)))
        elif step == "ask" and index.ask(data.draw(st.none() | st.integers(0, length)), Span(0, length)):
            jobs += 1
        elif question is not None:
            events: dict[str, GenerationEvent] = {
                "answer": Explained(jobs, tuple(seen(at, at + 1) for at in range(question.start, question.end))),
                "end": ended(jobs),
            }
            if step in events:
                index.apply_events([events[step]])
        assert all(index.info(at).state for at in range(len(index)))
        assert all((index.levels[at] > 0) == (index.surprise(at) is not None) for at in range(len(index)))


def test_where_tokens_begin_is_known_and_where_a_character_has_several() -> None:
    index = explained(6, seen(0, 3), seen(3, 4, id=1), seen(3, 4, id=2), seen(4, 6))
    assert list(index.cuts) == [FIRST, 0, 0, SPLIT, FIRST, 0]
    index.resize(4, 5)
    assert list(index.cuts) == [FIRST, 0, 0, SPLIT, 0]
    index.written([Token(1, 0, 7, "a", None)], 4)
    assert index.cuts[4] == FIRST
