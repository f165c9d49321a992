"""What a model thought of a text: which token covers what, and by which logits it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import ContextEngine as FakeEngine
from numpy.typing import NDArray

from tinygpt_tui.events.generation import Explained, GenerationEnded, TokenSeen
from tinygpt_tui.insight import explain
from tinygpt_tui.insight.explain import BATCH, ExplainJob, spans_of
from tinygpt_tui.settings.windows import Policy
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer

BLOCK_SIZE = 8  # of a ContextEngine


class PieceTokenizer:
    """Pieces of bytes, the longest that fits first; without `whole` only the pieces that are given are known."""

    name = "pieces"

    def __init__(self, pieces: Sequence[bytes], whole: bool = True) -> None:
        self.pieces = [*([bytes([byte]) for byte in range(256)] if whole else []), *pieces]
        self.size = len(self.pieces)

    def encode(self, text: str) -> list[int]:
        data, ids = text.encode("utf-8"), []
        while data:
            id = max(
                (id for id, piece in enumerate(self.pieces) if data.startswith(piece)),
                key=lambda id: len(self.pieces[id]),
            )
            ids.append(id)
            data = data[len(self.pieces[id]) :]
        return ids

    def bytes_of(self, id: int) -> bytes:
        return self.pieces[id]

    def unknown_in(self, text: str) -> str:
        return ""

    def to_dict(self) -> dict[str, Any]:
        return {}


def tokens_of(job: ExplainJob) -> list[TokenSeen]:
    events = list(job)
    assert isinstance(events[-1], GenerationEnded)
    return [token for event in events if isinstance(event, Explained) for token in event.tokens]


def probability(logits: NDArray[np.float32], id: int) -> float:
    weights = np.exp(logits.astype(np.float64))
    return float(weights[id] / weights.sum())


# Spans

PIECES = st.lists(
    st.text(alphabet="aé日👍", min_size=1, max_size=3)
    .map(lambda text: text.encode("utf-8"))
    .flatmap(
        lambda data: st.tuples(st.integers(0, len(data) - 1), st.integers(1, len(data))).map(
            lambda cut: data[cut[0] : cut[0] + cut[1]]
        )
    ),
    max_size=6,
)
TEXTS = st.text(alphabet="ab é日👍\n", max_size=20)


def spans(ids: Sequence[int], text: str, tokenizer: Tokenizer) -> list[tuple[int, int]]:
    starts, ends = spans_of(ids, text, tokenizer)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


@given(TEXTS, PIECES)
@settings(deadline=None)
def test_a_token_covers_every_character_that_it_holds_a_part_of(text: str, pieces: list[bytes]) -> None:
    tokenizer = PieceTokenizer(pieces)
    ids = tokenizer.encode(text)
    owners = [index for index, character in enumerate(text) for _ in character.encode("utf-8")]
    at = 0
    for id, (start, end) in zip(ids, spans(ids, text, tokenizer), strict=True):
        held = owners[at : at + len(tokenizer.bytes_of(id))]
        assert (start, end) == (held[0], held[-1] + 1)
        at += len(held)


@given(TEXTS, st.text(alphabet="ab é日👍", min_size=1, max_size=4))
@settings(deadline=None)
def test_characters_that_a_model_does_not_know_are_stepped_over(text: str, known: str) -> None:
    tokenizer = CharTokenizer.of(known)
    ids = tokenizer.encode(text)
    places = [(index, index + 1) for index, character in enumerate(text) if character in known]
    assert spans(ids, text, tokenizer) == places


def test_half_a_surrogate_pair_and_a_mark_for_the_beginning_cover_nothing() -> None:
    assert spans([1, 0], "\ud800ba", CharTokenizer("ab")) == [(1, 2), (2, 3)]
    tokenizer = PieceTokenizer([b"<s>"])
    assert spans([256, ord("a"), ord("b")], "ab", tokenizer) == [(0, 0), (0, 1), (1, 2)]


# Chances


@pytest.mark.parametrize("window", ["exact", "reanchor", "rolling"])
@given(data=st.data())
@settings(deadline=None)
def test_every_token_is_judged_by_what_stood_before_it(window: Policy, data: st.DataObject) -> None:
    text = data.draw(st.text(alphabet="abcd", min_size=1, max_size=3 * BLOCK_SIZE))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    tokenizer = CharTokenizer("abcd")
    engine = FakeEngine(tokenizer.size, window)
    ids = tokenizer.encode(text)
    tokens = tokens_of(ExplainJob(engine, tokenizer, BLOCK_SIZE, text, start, end, candidates=2))
    assert [(token.start, token.end, token.id) for token in tokens] == [
        (offset, offset + 1, ids[offset]) for offset in range(start, end)
    ]
    for token in tokens:
        if token.start == 0:
            assert token.chance is None
            continue
        assert token.chance is not None
        logits = engine.logits(ids[: token.start])
        assert token.chance.probability == pytest.approx(probability(logits, token.id))
        assert [candidate.id for candidate in token.chance.candidates] == np.argsort(-logits)[:2].tolist()
        assert token.chance.candidates[0].text == "abcd"[int(logits.argmax())]


def test_inside_the_window_one_pass_is_enough_and_rolling_never_reads_twice() -> None:
    tokenizer = CharTokenizer("ab")
    text = "ab" * BLOCK_SIZE
    for window, start, calls in (
        ("exact", 3, ["every", *["prefill"] * (BLOCK_SIZE - 1)]),
        ("rolling", 3, ["every", "prefill", *["step"] * (BLOCK_SIZE - 2)]),
        ("exact", BLOCK_SIZE + 2, ["prefill"] * (BLOCK_SIZE - 2)),
        ("rolling", BLOCK_SIZE + 2, ["prefill", *["step"] * (BLOCK_SIZE - 3)]),
    ):
        engine = FakeEngine(tokenizer.size, window)  # type: ignore[arg-type]
        list(ExplainJob(engine, tokenizer, BLOCK_SIZE, text, start, len(text)))
        assert engine.calls == calls


def test_a_table_too_large_is_read_token_by_token(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, text = CharTokenizer("ab"), "abba" * 5
    wanted = tokens_of(ExplainJob(FakeEngine(2), tokenizer, BLOCK_SIZE, text, 2, 12))
    monkeypatch.setattr(explain, "LARGEST_TABLE", 1)
    engine = FakeEngine(2)
    assert tokens_of(ExplainJob(engine, tokenizer, BLOCK_SIZE, text, 2, 12)) == wanted
    assert engine.calls == ["prefill", *["step"] * 6, *["prefill"] * 3]


def test_what_the_model_does_not_know_is_said_in_its_place() -> None:
    tokenizer = CharTokenizer("ab")
    tokens = tokens_of(ExplainJob(FakeEngine(2), tokenizer, BLOCK_SIZE, "?a??b?", 0, 6))
    assert [(token.start, token.id, token.chance is None) for token in tokens] == [
        (0, -1, True),
        (1, 0, True),
        (2, -1, True),
        (3, -1, True),
        (4, 1, False),
        (5, -1, True),
    ]


@pytest.mark.parametrize(("text", "start", "end"), [("", 0, 5), ("ab", 2, 9), ("ab", 1, 1), ("ab", 1, 0), ("??", 5, 9)])
def test_a_question_about_nothing_ends_at_once(text: str, start: int, end: int) -> None:
    events = list(ExplainJob(FakeEngine(2), CharTokenizer("ab"), BLOCK_SIZE, text, start, end, job=3))
    assert [type(event) for event in events] == [GenerationEnded]
    assert isinstance(events[0], GenerationEnded)
    assert (events[0].job, events[0].reason, events[0].tokens) == (3, "length", 0)


# Streaming


def test_a_long_answer_comes_in_crowds_that_cut_no_character() -> None:
    text = "👍" * (2 * BATCH)  # four tokens each
    tokenizer: Tokenizer = PieceTokenizer([])
    events = list(ExplainJob(FakeEngine(256), tokenizer, BLOCK_SIZE, text, 0, len(text), candidates=0))
    crowds = [event.tokens for event in events if isinstance(event, Explained)]
    assert len(crowds) > 4
    for crowd in crowds:
        assert crowd[0].start == crowd[3].start
        assert len(crowd) % 4 == 0
    assert isinstance(events[-1], GenerationEnded)
    assert events[-1].tokens == 4 * len(text)


def test_it_ends_at_the_next_token_when_it_is_stopped() -> None:
    tokenizer = CharTokenizer("ab")
    engine = FakeEngine(2)
    job = ExplainJob(engine, tokenizer, BLOCK_SIZE, "ab" * 1000, 0, 2000)
    events = iter(job)
    assert isinstance(next(events), Explained)
    job.stop()
    asked = len(engine.calls)
    rest = list(events)
    ended = rest[-1]
    assert isinstance(ended, GenerationEnded)
    assert ended.reason == "stopped"
    assert len(engine.calls) <= asked + 1
