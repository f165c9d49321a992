"""Why a letter: each token before it is replaced in turn, and the others stay where they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from makers import ContextEngine
from numpy.typing import NDArray

from tinygpt_tui.events.generation import Attributed, Attribution, GenerationEnded
from tinygpt_tui.generation.replacing import Replacement
from tinygpt_tui.generation.text import first_ids
from tinygpt_tui.insight import attribution
from tinygpt_tui.insight.attribution import ALTERNATIVES, AttributionJob
from tinygpt_tui.settings.windows import Policy
from tinygpt_tui.tokenizers.char import CharTokenizer

TEXT = "to be or not to be"
BLOCK_SIZE = 8  # of a ContextEngine
TOKENIZER = CharTokenizer.of(TEXT + "\n")


class FakeReplacer:
    """Reads the changed texts by an engine."""

    def __init__(self, engine: ContextEngine) -> None:
        self._engine = engine

    def logits(self, ids: Sequence[int], replacements: Sequence[Replacement]) -> NDArray[np.float32]:
        return np.stack([self._engine.logits([*ids[:at], id, *ids[at + 1 :]]) for at, id in replacements])


def job_at(offset: int, window: Policy = "exact", text: str = TEXT) -> AttributionJob:
    engine = ContextEngine(TOKENIZER.size, window)
    return AttributionJob(engine, FakeReplacer(engine), TOKENIZER, BLOCK_SIZE, text, offset)


def probability(logits: NDArray[np.float32], id: int) -> float:
    weights = np.exp(logits.astype(np.float64))
    return float(weights[id] / weights.sum())


def by_hand(offset: int, window: Policy) -> list[Attribution]:
    """Return what the job must find, nearest first."""
    engine, target = ContextEngine(TOKENIZER.size, window), TOKENIZER.encode(TEXT)[offset]
    cut = max(0, offset - BLOCK_SIZE)
    start = 0 if window == "rolling" else cut
    ids = TOKENIZER.encode(TEXT)[start:offset]
    own = probability(engine.logits(ids), target)
    found = []
    for at in reversed(range(cut - start, len(ids))):
        before = engine.logits(ids[:at] or first_ids(TOKENIZER))
        others = [int(id) for id in np.argsort(-before) if id != ids[at]][:ALTERNATIVES]
        weights = [probability(before, id) for id in others]
        changed = [probability(engine.logits([*ids[:at], id, *ids[at + 1 :]]), target) for id in others]
        without = np.dot(weights, changed) / sum(weights)
        found.append(Attribution(start + at, start + at + 1, math.log2(own / without)))
    return found


@pytest.mark.parametrize("table", [1 << 24, 0], ids=["in one pass", "token by token"])
@pytest.mark.parametrize("window", ["exact", "rolling"])
@pytest.mark.parametrize("offset", [1, BLOCK_SIZE, len(TEXT) - 1])
def test_each_token_of_the_window_is_replaced_in_turn(
    offset: int, window: Policy, table: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution, "LARGEST_TABLE", table)
    *events, ended = job_at(offset, window)
    assert all(isinstance(event, Attributed) for event in events)
    found = [token for event in events if isinstance(event, Attributed) for token in event.tokens]
    wanted = by_hand(offset, window)
    assert [(token.start, token.end) for token in found] == [(token.start, token.end) for token in wanted]
    np.testing.assert_allclose([token.bits for token in found], [token.bits for token in wanted], atol=1e-5)
    assert [event.left for event in events if isinstance(event, Attributed)][-1] == 0
    assert isinstance(ended, GenerationEnded)
    assert (ended.reason, ended.tokens) == ("length", len(wanted))


@pytest.mark.parametrize(("text", "offset"), [(TEXT, 0), (TEXT, len(TEXT)), ("", 0), ("日本", 1)])
def test_what_nothing_comes_before_has_no_answer(text: str, offset: int) -> None:
    (ended,) = job_at(offset, text=text)
    assert isinstance(ended, GenerationEnded)
    assert ended.reason == "length"


def test_a_stop_ends_it_at_the_next_event() -> None:
    job = job_at(BLOCK_SIZE)
    events = iter(job)
    first = next(events)
    assert isinstance(first, Attributed)
    assert first.left == BLOCK_SIZE
    job.stop()
    (ended,) = events
    assert isinstance(ended, GenerationEnded)
    assert ended.reason == "stopped"
