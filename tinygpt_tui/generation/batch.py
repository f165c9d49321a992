"""Prompts become texts, several in one pass: the same texts as one job after another would write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from tinygpt_tui.events.generation import EndReason, GenerationEnded, GenerationEvent, GenerationStarted, Token
from tinygpt_tui.generation.base import BatchEngine
from tinygpt_tui.generation.probabilities import probabilities_of
from tinygpt_tui.generation.sampler import RowsSampler, choose_seed
from tinygpt_tui.generation.text import GrowingText, beginning
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.base import Tokenizer

TEXTS_AT_ONCE = 16  # each keeps a window of its own in memory


class BatchJob:
    """Several generations side by side: iterate over it for the events of all; `stop` ends it at the next tokens.

    Text i is the one that a GenerationJob writes with a seed that is higher by i. Each has a GenerationStarted, its
    Tokens and a GenerationEnded, told apart by `sample`; what has ended costs nothing more. Raises what a
    GenerationJob raises.
    """

    def __init__(
        self,
        engine: BatchEngine,
        tokenizer: Tokenizer,
        block_size: int,
        prompts: Sequence[str],
        sampling: SamplingSettings,
        *,
        job: int = 0,
        first_sample: int = 0,
        candidates: int | None = None,
        weights: str = "fp32",
        engine_name: str = "",
    ) -> None:
        """`prompts`: one for each text; `engine` is made for so many. `first_sample` is the number of the first text.

        `candidates` as for a GenerationJob; `weights` and `engine_name` only tell what the engine is.
        """
        self._engine, self._tokenizer, self._block_size = engine, tokenizer, block_size
        self._prompts, self._sampling, self.job, self._first_sample = list(prompts), sampling, job, first_sample
        self._candidates, self._weights, self._engine_name = candidates, weights, engine_name
        self._asked_at = time.perf_counter()
        self._first_at: float | None = None
        self._stopped = False

    def stop(self) -> None:
        """End all texts at their next token; safe to call from another thread."""
        self._stopped = True

    def __iter__(self) -> Iterator[GenerationEvent]:
        """Yield a GenerationStarted for each text, then their Tokens in turn, and GenerationEnded as each ends."""
        engine, tokenizer, candidates = self._engine, self._tokenizer, self._candidates
        prompts = [tokenizer.encode(prompt) for prompt in self._prompts]
        sampler = RowsSampler(self._sampling, len(prompts), TokenMask.of(self._sampling, tokenizer))
        for sample, (prompt, ids) in enumerate(zip(self._prompts, prompts, strict=True)):
            yield self._started(sample, prompt, len(ids), sampler.seeds[sample])
        sampler.begin(prompts)
        samples = list(range(len(prompts)))  # that still go on, in the engine's order
        texts = [GrowingText(tokenizer, self._sampling) for _ in samples]
        last: list[int] = []
        count = 0
        while samples and count < self._sampling.max_new_tokens and not self._stopped:
            logits = engine.step(last) if count else engine.join([ids or beginning(tokenizer) for ids in prompts])
            last, used = sampler.draw_rows(logits), engine.contexts_used
            self._first_at = self._first_at or time.perf_counter()
            for row, (sample, id) in enumerate(zip(samples, last, strict=True)):
                shown = texts[sample].push(id)
                chance = None if candidates is None else probabilities_of(logits[row], id, candidates, tokenizer)
                yield Token(self.job, count, id, shown, used[row], chance, self._first_sample + sample)
            count += 1
            going_on = [row for row, sample in enumerate(samples) if texts[sample].ended is None]
            if len(going_on) < len(samples):
                for sample in samples:
                    ended = texts[sample].ended
                    if ended is not None:
                        yield self._ended(sample, ended, count, texts[sample])
                samples, last = [samples[row] for row in going_on], [last[row] for row in going_on]
                if samples:
                    engine.keep(going_on)
                    sampler.keep(going_on)
        for sample in samples:
            reason: EndReason = "stopped" if count < self._sampling.max_new_tokens else "length"
            yield self._ended(sample, reason, count, texts[sample])

    def _started(self, sample: int, prompt: str, prompt_tokens: int, seed: int) -> GenerationStarted:
        return GenerationStarted(
            job=self.job,
            prompt_tokens=prompt_tokens,
            block_size=self._block_size,
            seed=seed,
            unknown=self._tokenizer.unknown_in(prompt),
            window=self._engine.window,
            weights=self._weights,
            engine=self._engine_name,
            sample=self._first_sample + sample,
        )

    def _ended(self, sample: int, reason: EndReason, tokens: int, text: GrowingText) -> GenerationEnded:
        first_at = self._first_at
        return GenerationEnded(
            job=self.job,
            reason=reason,
            tokens=tokens,
            seconds=time.perf_counter() - self._asked_at,
            seconds_to_first=None if first_at is None else first_at - self._asked_at,
            text=text.finish(),
            sample=self._first_sample + sample,
        )


def sample_texts(
    new_engine: Callable[[int], BatchEngine],
    tokenizer: Tokenizer,
    block_size: int,
    prompt: str,
    sampling: SamplingSettings,
    samples: int,
    *,
    candidates: int | None = None,
    weights: str = "fp32",
    engine_name: str = "",
) -> Iterator[GenerationEvent]:
    """Yield what happens while `samples` texts are written from one prompt, TEXTS_AT_ONCE in one pass.

    `new_engine` makes an engine for so many texts. Raises what a BatchJob raises.
    """
    seed = choose_seed() if sampling.seed is None else sampling.seed
    for first in range(0, samples, TEXTS_AT_ONCE):
        texts = min(TEXTS_AT_ONCE, samples - first)
        yield from BatchJob(
            new_engine(texts),
            tokenizer,
            block_size,
            [prompt] * texts,
            msgspec.structs.replace(sampling, seed=seed + first),
            first_sample=first,
            candidates=candidates,
            weights=weights,
            engine_name=engine_name,
        )
