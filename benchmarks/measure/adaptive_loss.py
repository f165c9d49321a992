"""The loss of a model that adapts to a text: each token is predicted first, and learned from after."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.adapting.engine import AdaptiveEngine
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.generation.text import first_ids
from tinygpt_tui.measuring.progress import Progress
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.letters import letters_of


class AdaptiveReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a text cost, by now: `loss` in nats per character, `steps` the gradient steps that were taken.

    `largest_error` is the greatest distance of the sum of the probabilities from 1; `cpu_s` the processor's seconds.
    """

    model: str
    corpus: str
    characters: int
    counted: int  # tokens of another text that the n-gram cache started with
    loss: float
    steps: int
    largest_error: float
    cpu_s: float
    finished: bool

    @property
    def bits(self) -> float:
        """The loss in bits per character."""
        return self.loss / math.log(2)


class AdaptiveBenchmark:
    """Iterate over it to measure; `report` can be asked at any time."""

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        ids: NDArray[np.int64],
        counted: Sequence[int],
        names: tuple[str, str],
        others: Sequence[LanguageModel] = (),
    ) -> None:
        """`ids` (N,) are predicted one after another; the n-gram cache starts with what follows what in `counted`.

        `names` are those of the model and of the corpus, `others` models that are mixed with it.
        """
        self._first, self._names = first_ids(tokenizer), names
        self._ids, self._counted, self._net = [*self._first, *ids.tolist()], counted, model
        self._others, self._letters = others, letters_of(tokenizer)
        self._lengths = [len(tokenizer.bytes_of(id).decode("utf-8", "ignore")) for id in ids.tolist()]
        self._engine: AdaptiveEngine | None = None
        self._cpu_s = 0.0

    def __iter__(self) -> Iterator[Progress]:
        """Measure. Raises what the engine raises."""
        began, cpu = time.perf_counter(), time.process_time()
        yield Progress(words="counting", detail=f"{len(self._counted):,} tokens", share=0.0, left_s=None)
        self._engine = AdaptiveEngine(self._net, self._counted, others=self._others, letters=self._letters)
        for read in self._engine.reading(self._ids):
            self._cpu_s = time.process_time() - cpu
            share = read / len(self._ids)
            left_s = (time.perf_counter() - began) * (1 - share) / share
            yield Progress(words="reading and learning", detail=f"{read:,} tokens", share=share, left_s=left_s)

    def report(self) -> AdaptiveReport:
        """Return what was measured by now."""
        engine = self._engine
        losses = engine.losses[len(self._first) :] if engine else []
        characters = sum(self._lengths[: len(losses)])
        return AdaptiveReport(
            model=self._names[0],
            corpus=self._names[1],
            characters=characters,
            counted=len(self._counted),
            loss=sum(losses) / max(1, characters),
            steps=engine.steps if engine else 0,
            largest_error=engine.largest_error if engine else 0.0,
            cpu_s=self._cpu_s,
            finished=len(losses) == len(self._lengths),
        )
