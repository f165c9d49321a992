"""A prompt becomes text: the job that encodes, draws, decodes and knows when to end."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tinygpt_tui.events.generation import EndReason, GenerationEnded, GenerationEvent, GenerationStarted, Token
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.generation.stops import StopText
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.stream import TextStream


class GenerationJob:
    """One generation: iterate over it for its events; `stop` ends it at the next token.

    Its last event is GenerationEnded; only what breaks inside the engine is raised instead.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        block_size: int,
        prompt: str,
        sampling: SamplingSettings,
        *,
        job: int = 0,
        step: int | None = None,
        validation_loss: float | None = None,
        asked_at: float | None = None,
    ) -> None:
        """`asked_at` is the perf_counter reading from which the times count; by default now."""
        self._engine, self._tokenizer, self._block_size = engine, tokenizer, block_size
        self._prompt, self._sampling, self.job = prompt, sampling, job
        self._stamp = (step, validation_loss)
        self._asked_at = time.perf_counter() if asked_at is None else asked_at
        self._stopped = False

    def stop(self) -> None:
        """End at the next token; safe to call from another thread."""
        self._stopped = True

    def __iter__(self) -> Iterator[GenerationEvent]:
        """Yield GenerationStarted, a Token each, GenerationEnded."""
        ids = self._tokenizer.encode(self._prompt)
        sampler = Sampler(self._sampling)
        step, loss = self._stamp
        yield GenerationStarted(
            job=self.job,
            prompt_tokens=len(ids),
            block_size=self._block_size,
            seed=sampler.seed,
            unknown=self._tokenizer.unknown_in(self._prompt),
            step=step,
            validation_loss=loss,
        )
        stream, stop_text = TextStream(self._tokenizer), StopText(self._sampling.stop)
        first_at: float | None = None
        count = last = 0
        reason: EndReason = "length"
        while count < self._sampling.max_new_tokens:
            if self._stopped:
                reason = "stopped"
                break
            # A model must see something: an empty prompt begins a new line, as nanoGPT's sampling script does.
            logits = self._engine.step(last) if count else self._engine.prefill(ids or self._beginning())
            last = sampler.draw(logits)
            first_at = first_at or time.perf_counter()
            text = stop_text.push(stream.push(last))
            yield Token(job=self.job, index=count, id=last, text=text, context_used=self._engine.context_used)
            count += 1
            if stop_text.found:
                reason = "stop text"
                break
        rest = "" if stop_text.found else stop_text.push(stream.finish()) + stop_text.finish()
        yield GenerationEnded(
            job=self.job,
            reason=reason,
            tokens=count,
            seconds=time.perf_counter() - self._asked_at,
            seconds_to_first=None if first_at is None else first_at - self._asked_at,
            text=rest,
        )

    def _beginning(self) -> list[int]:
        return self._tokenizer.encode("\n") or [0]
