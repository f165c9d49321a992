"""Texts of different askers over one model: they join and leave between tokens, each with settings of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import EndReason, GenerationEnded, GenerationStarted, Token
from tinygpt_tui.generation.base import BatchEngine
from tinygpt_tui.generation.probabilities import probabilities_of
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.generation.text import GrowingText, beginning
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.base import Tokenizer

TextEvent = GenerationStarted | Token | GenerationEnded


class TextGeneration:
    """One text on its way: what a GenerationJob does with the same seed, but somebody else runs the engine."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        block_size: int,
        prompt: str,
        sampling: SamplingSettings,
        *,
        job: int = 0,
        sample: int = 0,
        candidates: int | None = None,
    ) -> None:
        """`job` and `sample` tell the events apart; `candidates` as for a GenerationJob. Raises UsageError."""
        self._tokenizer, self._sampling, self._block_size = tokenizer, sampling, block_size
        self.job, self.sample, self._candidates = job, sample, candidates
        ids = tokenizer.encode(prompt)
        self._prompt_tokens, self._unknown = len(ids), tokenizer.unknown_in(prompt)
        self.ids = ids or beginning(tokenizer)
        self._sampler = Sampler(sampling, TokenMask.of(sampling, tokenizer))
        self._sampler.begin(ids)
        self._text = GrowingText(tokenizer, sampling)
        self._count, self.last = 0, 0
        self._asked_at = time.perf_counter()
        self._first_at: float | None = None
        self._stopped = False

    def stop(self) -> None:
        """End at the next token; safe to call from another thread."""
        self._stopped = True

    def started(self, engine: BatchEngine, engine_name: str = "") -> GenerationStarted:
        """Say that it begins."""
        return GenerationStarted(
            job=self.job,
            prompt_tokens=self._prompt_tokens,
            block_size=self._block_size,
            seed=self._sampler.seed,
            unknown=self._unknown,
            window=engine.window,
            engine=engine_name,
            sample=self.sample,
        )

    def take(self, logits: NDArray[np.float32], context_used: int) -> Token:
        """Draw the next token from `logits` (V,). Raises what Sampler.draw raises."""
        self.last = self._sampler.draw(logits)
        self._first_at = self._first_at or time.perf_counter()
        shown = self._text.push(self.last)
        chance = None
        if self._candidates is not None:
            chance = probabilities_of(logits, self.last, self._candidates, self._tokenizer)
        self._count += 1
        return Token(self.job, self._count - 1, self.last, shown, context_used, chance, self.sample)

    @property
    def ended(self) -> EndReason | None:
        """Why nothing more is to be written, where that is so."""
        if self._text.ended is None and self._count >= self._sampling.max_new_tokens:
            return "length"
        return self._text.ended or ("stopped" if self._stopped else None)

    def end(self, reason: EndReason, error: TinyGPTError | None = None) -> GenerationEnded:
        """Say that it has ended, and what was held back."""
        return GenerationEnded(
            job=self.job,
            reason=reason,
            tokens=self._count,
            seconds=time.perf_counter() - self._asked_at,
            seconds_to_first=None if self._first_at is None else self._first_at - self._asked_at,
            text=self._text.finish(),
            message=error.message if error else "",
            hint=error.hint if error else "",
            sample=self.sample,
        )


class Batch:
    """The texts that share an engine. Each is given by its own events; one that fails does not take others along."""

    def __init__(self, engine: BatchEngine, engine_name: str = "") -> None:
        self._engine, self._engine_name = engine, engine_name
        self._texts: list[TextGeneration] = []

    def __len__(self) -> int:
        return len(self._texts)

    def join(self, texts: Sequence[TextGeneration]) -> list[TextEvent]:
        """Let `texts` begin; return their first events. Raises UsageError where the engine cannot read them."""
        events: list[TextEvent] = [writing.started(self._engine, self._engine_name) for writing in texts]
        there = len(self._texts)
        logits = self._engine.join([writing.ids for writing in texts])
        self._texts += texts
        return events + self._take(logits, there)

    def step(self) -> list[TextEvent]:
        """Write one token more of each; return what happened. Those that were stopped leave before it."""
        events: list[TextEvent] = self._leave(set())
        if self._texts:
            events += self._take(self._engine.step([writing.last for writing in self._texts]), 0)
        return events

    def _take(self, logits: NDArray[np.float32], first: int) -> list[TextEvent]:
        """Let the texts from place `first` on draw from their rows of `logits`; return what happened."""
        events: list[TextEvent] = []
        failed: set[int] = set()
        used = self._engine.contexts_used
        for place, row in enumerate(logits, start=first):
            writing = self._texts[place]
            try:
                if writing.ended is None:
                    events.append(writing.take(row, used[place]))
            except TinyGPTError as error:
                failed.add(place)
                events.append(writing.end("failed", error))
        return events + self._leave(failed)

    def _leave(self, failed: set[int]) -> list[TextEvent]:
        """Let those go that have ended; return their last events (but of the `failed`, who had theirs)."""
        events: list[TextEvent] = []
        staying = []
        for place, writing in enumerate(self._texts):
            reason = writing.ended
            if place in failed:
                continue
            if reason is None:
                staying.append(place)
            else:
                events.append(writing.end(reason))
        if len(staying) < len(self._texts):
            self._texts = [self._texts[place] for place in staying]
            self._engine.keep(staying)
        return events
