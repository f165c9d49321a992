"""The texts of a batch are those that one job after another would write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import ByteTokenizer
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.events.generation import GenerationEnded, GenerationStarted, Token
from tinygpt_tui.generation.batch import TEXTS_AT_ONCE, Batch, sample_texts
from tinygpt_tui.generation.text import GenerationJob, TextEvent, TextGeneration
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.settings.windows import Policy
from tinygpt_tui.tokenizers.char import CharTokenizer

LETTERS = CharTokenizer("\nabcdef")


def opinion(ids: Sequence[int], size: int) -> NDArray[np.float32]:
    """Logits that depend on the whole text and on nothing else."""
    return np.random.default_rng([*ids, len(ids)]).normal(size=size).astype(np.float32) * 2


class OneText:
    """An engine whose answers depend on its text alone."""

    window: Policy = "exact"

    def __init__(self, size: int) -> None:
        self._size, self._ids = size, [0]

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        self._ids = list(ids)
        return opinion(self._ids, self._size)

    def step(self, id: int) -> NDArray[np.float32]:
        self._ids.append(id)
        return opinion(self._ids, self._size)

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return np.stack([opinion(ids[: end + 1], self._size) for end in range(len(ids))])

    @property
    def context_used(self) -> int:
        return min(len(self._ids), 8)


class ManyTexts:
    """The same for several; remembers how many it went on with."""

    window: Policy = "exact"

    def __init__(self, size: int) -> None:
        self._size = size
        self._texts: list[list[int]] = []
        self.widths: list[int] = []

    def join(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self._texts += [list(ids) for ids in texts]
        return self._answers()[-len(texts) :]

    def step(self, ids: Sequence[int]) -> NDArray[np.float32]:
        for text, id in zip(self._texts, ids, strict=True):
            text.append(id)
        return self._answers()

    def keep_rows(self, rows: Sequence[int]) -> None:
        self._texts = [self._texts[row] for row in rows]

    @property
    def contexts_used(self) -> list[int]:
        return [min(len(text), 8) for text in self._texts]

    def _answers(self) -> NDArray[np.float32]:
        self.widths.append(len(self._texts))
        return np.stack([opinion(text, self._size) for text in self._texts])


def together(
    prompts: list[str], sampling: SamplingSettings, engine: ManyTexts | None = None, **more: Any
) -> list[TextEvent]:
    """Write texts in one batch, with seeds that count up."""
    assert sampling.seed is not None
    texts = [
        TextGeneration(
            LETTERS, 8, prompt, msgspec.structs.replace(sampling, seed=sampling.seed + sample), sample=sample, **more
        )
        for sample, prompt in enumerate(prompts)
    ]
    batch = Batch(engine or ManyTexts(LETTERS.size))
    events = batch.join(texts)
    while len(batch):
        events += batch.step()
    return events


def of_sample(events: list[TextEvent], sample: int) -> list[Any]:
    """The events of one text, without what differs by the clock, and as if it were alone."""
    mine = [event for event in events if getattr(event, "sample", None) == sample]
    return [timeless(msgspec.structs.replace(event, sample=0)) for event in mine]


def timeless(event: Any) -> Any:
    return (
        msgspec.structs.replace(event, seconds=0.0, seconds_to_first=None)
        if isinstance(event, GenerationEnded)
        else event
    )


some_settings = st.builds(
    SamplingSettings,
    temperature=st.sampled_from([0.0, 0.7, 1.5]),
    top_k=st.integers(0, 8),
    top_p=st.sampled_from([0.5, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.2]),
    repetition_penalty=st.sampled_from([1.0, 1.4]),
    max_new_tokens=st.integers(0, 12),
    seed=st.integers(0, 100),
    stop=st.lists(st.text("abc", max_size=2), max_size=2).map(tuple),
    stop_at_blank_line=st.booleans(),
    banned=st.sampled_from(["", "c"]),
)


@given(some_settings, st.lists(st.text("abcx", max_size=10), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_same_texts_as_one_after_another(sampling: SamplingSettings, prompts: list[str]) -> None:
    assert sampling.seed is not None
    events = together(prompts, sampling, job=4, candidates=2)
    for sample, prompt in enumerate(prompts):
        own = msgspec.structs.replace(sampling, seed=sampling.seed + sample)
        alone = GenerationJob(OneText(LETTERS.size), TextGeneration(LETTERS, 8, prompt, own, job=4, candidates=2))
        assert of_sample(events, sample) == [timeless(event) for event in alone]


def test_each_begins_and_ends_once_and_what_ended_costs_nothing_more() -> None:
    engine = ManyTexts(LETTERS.size)
    sampling = SamplingSettings(temperature=1.5, max_new_tokens=40, seed=1, stop=("a", "b"))
    events = together(["c"] * 6, sampling, engine)
    assert sorted(event.sample for event in events if isinstance(event, GenerationStarted)) == list(range(6))
    ended = [event for event in events if isinstance(event, GenerationEnded)]
    assert sorted(event.sample for event in ended) == list(range(6))
    assert [event.tokens for event in ended] == sorted(event.tokens for event in ended)  # each as it ends
    assert engine.widths[0] == 6
    assert sum(engine.widths) == sum(event.tokens for event in ended)
    assert sum(isinstance(event, Token) for event in events) == sum(event.tokens for event in ended)


def samples(engine: ManyTexts, sampling: SamplingSettings, count: int) -> Iterator[TextEvent]:
    return sample_texts(
        lambda texts: engine,
        lambda own, sample: TextGeneration(LETTERS, 8, "a", own, sample=sample, engine_name="native"),
        sampling,
        count,
    )


def test_samples_count_and_their_seeds_count_up() -> None:
    engine, many = ManyTexts(LETTERS.size), TEXTS_AT_ONCE + 2
    events = list(samples(engine, SamplingSettings(max_new_tokens=2, seed=7, weights="int8"), many))
    started = [event for event in events if isinstance(event, GenerationStarted)]
    assert [(one.sample, one.seed) for one in started] == [(sample, 7 + sample) for sample in range(many)]
    assert {(one.window, one.weights, one.engine) for one in started} == {("exact", "int8", "native")}
    assert engine.widths == [TEXTS_AT_ONCE] * 2 + [2] * 2
    assert [event.sample for event in events if isinstance(event, GenerationEnded)] == list(range(many))
    unseeded = [event for event in samples(engine, SamplingSettings(max_new_tokens=0), 3) if hasattr(event, "seed")]
    assert [event.seed - unseeded[0].seed for event in unseeded] == [0, 1, 2]


def test_stop_ends_all_and_what_was_held_back_is_not_lost() -> None:
    class Certain(ManyTexts):
        def _answers(self) -> NDArray[np.float32]:
            logits = np.zeros((len(self._texts), 256), dtype=np.float32)
            logits[:, ord("a")] = 99
            return logits

    sampling = SamplingSettings(stop=("aab",), temperature=0)
    texts = [TextGeneration(ByteTokenizer(), 8, prompt, sampling) for prompt in ("x", "y")]
    batch = Batch(Certain(256))
    batch.join(texts)
    for _ in range(2):
        batch.step()
    for text in texts:
        text.stop()
    events = batch.step()
    assert not len(batch)
    ended = [event for event in events if isinstance(event, GenerationEnded)]
    assert [(one.reason, one.tokens, one.text) for one in ended] == [("stopped", 3, "aa")] * 2


def test_nothing_asked_is_nothing_written() -> None:
    events = together(["a", "b"], SamplingSettings(max_new_tokens=0, seed=1))
    assert [type(event).__name__ for event in events] == ["GenerationStarted"] * 2 + ["GenerationEnded"] * 2
    assert [event.reason for event in events if isinstance(event, GenerationEnded)] == ["length"] * 2


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="can write nothing"):
        together(["a"], SamplingSettings(allowed="X", seed=1))

    class Damaged(ManyTexts):
        def _answers(self) -> NDArray[np.float32]:
            return np.full((len(self._texts), self._size), np.nan, dtype=np.float32)

    with pytest.raises(CheckpointError, match="instead of numbers"):
        list(samples(Damaged(7), SamplingSettings(), 2))
