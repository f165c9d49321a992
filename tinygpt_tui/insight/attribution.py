"""Why a model wrote a letter: how far each token before it changed its probability, the job behind "Why this letter?".

Each token of the window is left out in turn, and the probability of the letter is computed again: no gradient, no
approximation, one pass for each. A token cannot simply be taken out of a text: what is behind it would move to other
positions, and the model would answer to the move as well. So the token is *replaced*, and every other one stays at its
place: by the ALTERNATIVES other tokens that the model itself held most likely there, one after the other. The mean of
the probabilities that the letter has then, weighted by the model's probabilities for the alternatives, is its
probability without the token. So the text stays one that the model may have read, which a hole or a filler would not;
and the same is done for every architecture, with attention or without. (Prediction difference: Robnik-Sikonja and
Kononenko 2008; Zintgraf et al. 2017.)
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.events.generation import Attributed, Attribution, EndReason, GenerationEnded, GenerationEvent
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.replacing import Replacement, Replacer
from tinygpt_tui.generation.text import first_ids
from tinygpt_tui.insight.explain import LARGEST_TABLE, spans_of
from tinygpt_tui.tokenizers.base import Tokenizer

ALTERNATIVES = 3
MOST_AT_ONCE = 32  # tokens of one event
QUICK_S, SLOW_S = 0.04, 0.15  # an event has more tokens where the last one took less, fewer where it took more
SMALLEST = 1e-12  # a smaller probability counts as this

Logits = NDArray[np.float32]


class Others(NamedTuple):
    """What could stand in for a token, and how likely the model held each, as shares of 1."""

    ids: list[int]
    weights: list[float]


class AttributionJob:
    """One question, about the token at `offset` of a text: iterate for its events; `stop` ends it at the next event.

    Its answers are Attributed, from the nearest token before it to the farthest of the window, then a GenerationEnded;
    what breaks inside is raised. The window is that of ExplainJob; under `rolling` the tokens before it are read, too,
    but not replaced. The first token of a text has no answer.
    """

    def __init__(
        self,
        engine: Engine,
        replacer: Replacer,
        tokenizer: Tokenizer,
        block_size: int,
        text: str,
        offset: int,
        *,
        job: int = 0,
    ) -> None:
        """Ask about the first token that covers character `offset`."""
        self._engine, self._replacer, self._tokenizer = engine, replacer, tokenizer
        self._block_size, self._text, self._offset, self.job = block_size, text, offset, job
        self._stopped = False

    def stop(self) -> None:
        """End at the next event; safe to call from another thread."""
        self._stopped = True

    def __iter__(self) -> Iterator[GenerationEvent]:
        """Yield Attributed, some tokens each, and GenerationEnded."""
        began = time.perf_counter()
        count = 0
        for event in self._attributed():
            count += len(event.tokens)
            yield event
        reason: EndReason = "stopped" if self._stopped else "length"
        yield GenerationEnded(self.job, reason, count, time.perf_counter() - began, None)

    def _attributed(self) -> Iterator[Attributed]:
        whole = self._tokenizer.encode(self._text)
        starts, ends = spans_of(whole, self._text, self._tokenizer)
        index = int(np.searchsorted(ends, self._offset, side="right"))
        if not 0 < index < len(whole):
            return
        target = whole[index]
        cut = 0 if self._engine.window == "rolling" else max(0, index - self._block_size)
        ids = whole[cut:index]
        first = max(0, len(ids) - self._block_size)
        opinions = self._opinions(ids, first)
        others = [_others(next(opinions), id) for id in ids[first:]]
        own = _probability(next(opinions), target)
        left, size = len(others), 1
        yield Attributed(self.job, own, left, ())
        while left and not self._stopped:
            began = time.perf_counter()
            to, left = left, max(0, left - size)
            without = self._without(ids, first + left, others[left:to], target)
            yield Attributed(
                self.job,
                own,
                left,
                tuple(
                    Attribution(int(starts[place]), int(ends[place]), _bits(own, probability))
                    for place, probability in reversed([*enumerate(without, cut + first + left)])
                ),
            )
            took = time.perf_counter() - began
            size = min(2 * size, MOST_AT_ONCE) if took < QUICK_S else max(1, size // 2) if took > SLOW_S else size

    def _opinions(self, ids: Sequence[int], first: int) -> Iterator[Logits]:
        """Yield the logits (V,) before each of the tokens from `first` on, and after the last."""
        engine = self._engine
        if not first:
            yield engine.prefill(first_ids(self._tokenizer))
        if not first and len(ids) * self._tokenizer.size <= LARGEST_TABLE:
            yield from engine.every(ids)
            return
        read = max(first, 1)
        yield engine.prefill(ids[:read])
        for id in ids[read:]:
            yield engine.step(id)

    def _without(self, ids: Sequence[int], start: int, others: Sequence[Others], target: int) -> list[float]:
        """Return the probability of `target` without each of the tokens from `start` on, given what to put there."""
        replacements = [Replacement(place, id) for place, some in enumerate(others, start) for id in some.ids]
        logits = iter(self._replacer.logits(ids, replacements))
        return [sum(weight * _probability(next(logits), target) for weight in some.weights) for some in others]


def _others(logits: Logits, own: int) -> Others:
    """Return the most likely ids other than `own`; in a vocabulary of one token, that one."""
    likely: list[int] = np.argsort(-logits, kind="stable")[: ALTERNATIVES + 1].tolist()
    ids = [id for id in likely if id != own][:ALTERNATIVES] or likely
    masses = np.exp(logits[ids].astype(np.float64) - float(logits[ids].max()))
    return Others(ids, (masses / masses.sum()).tolist())


def _probability(logits: Logits, id: int) -> float:
    left = logits.astype(np.float64) - float(logits.max())
    return float(math.exp(left[id]) / np.exp(left).sum())


def _bits(own: float, without: float) -> float:
    return math.log2(max(own, SMALLEST) / max(without, SMALLEST))
