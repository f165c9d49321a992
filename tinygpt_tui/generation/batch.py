"""Several texts over one model in shared passes: they join and leave between tokens, each with its own settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.generation.base import BatchEngine
from tinygpt_tui.generation.sampler import choose_seed, draw_each
from tinygpt_tui.generation.text import TextEvent, TextGeneration
from tinygpt_tui.settings.sampling import SamplingSettings

TEXTS_AT_ONCE = 16  # each needs memory for a window of its own


class Batch:
    """The texts that share an engine; each is what a GenerationJob writes. If one fails, the others continue."""

    def __init__(self, engine: BatchEngine) -> None:
        self._engine = engine
        self._texts: list[TextGeneration] = []

    def __len__(self) -> int:
        return len(self._texts)

    def join(self, texts: Sequence[TextGeneration]) -> list[TextEvent]:
        """Start `texts`; return their first events. Raises UsageError if the engine cannot read them."""
        events: list[TextEvent] = [text.start(self._engine.window) for text in texts]
        first = len(self._texts)
        logits = self._engine.join([text.ids for text in texts])
        self._texts += texts
        return events + self._draw(logits, first)

    def step(self) -> list[TextEvent]:
        """Write one more token of each text; return what happened. Those that were stopped leave before it."""
        events = self._remove_ended()
        if self._texts:
            events += self._draw(self._engine.step([text.last for text in self._texts]), 0)
        return events

    def _draw(self, logits: NDArray[np.float32], first: int) -> list[TextEvent]:
        """Draw for the texts from place `first` on from their rows of logits (B, V); return what happened."""
        events: list[TextEvent] = []
        used = self._engine.contexts_used
        writing = [row for row in range(len(logits)) if self._texts[first + row].ended is None]
        rows = logits if len(writing) == len(logits) else logits[writing]
        drawn = draw_each([self._texts[first + row].sampler for row in writing], rows)
        for row, result in zip(writing, drawn, strict=True):
            text = self._texts[first + row]
            if isinstance(result, TinyGPTError):
                text.error = result
            else:
                events.append(text.add(result, logits[row], used[first + row]))
        return events + self._remove_ended()

    def _remove_ended(self) -> list[TextEvent]:
        """Remove the texts that have ended or failed; return their last events."""
        events: list[TextEvent] = []
        staying = []
        for place, text in enumerate(self._texts):
            if text.ended is None:
                staying.append(place)
            else:
                events.append(text.end())
        if len(staying) < len(self._texts):
            self._texts = [self._texts[place] for place in staying]
            self._engine.keep_rows(staying)
        return events


def sample_texts(
    new_engine: Callable[[int], BatchEngine],
    new_text: Callable[[SamplingSettings, int], TextGeneration],
    sampling: SamplingSettings,
    samples: int,
) -> Iterator[TextEvent]:
    """Yield the events of `samples` texts, TEXTS_AT_ONCE in one pass, told apart by `sample`.

    Text i has a seed that is higher by i than the first one's. `new_engine` returns an engine for the given number of
    texts, `new_text` the text of these settings and this number. Raises what they raise; CheckpointError if logits are
    not numbers.
    """
    seed = choose_seed() if sampling.seed is None else sampling.seed
    for first in range(0, samples, TEXTS_AT_ONCE):
        numbers = range(first, min(first + TEXTS_AT_ONCE, samples))
        texts = [new_text(msgspec.structs.replace(sampling, seed=seed + number), number) for number in numbers]
        batch = Batch(new_engine(len(texts)))
        events = batch.join(texts)
        while events:
            yield from events
            for text in texts:
                if text.error is not None:
                    raise text.error
            events = batch.step()
