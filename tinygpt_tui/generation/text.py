"""A prompt becomes text: the job that encodes, draws, decodes and knows when to end."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tinygpt_tui.events.generation import EndReason, GenerationEnded, GenerationEvent, GenerationStarted, Token
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.probabilities import probabilities_of
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.generation.stops import Stops
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.stream import TextStream


class GenerationJob:
    """One generation: iterate over it for its events; `stop` ends it at the next token.

    Its last event is GenerationEnded; only what breaks inside the engine, and settings that leave nothing to write,
    are raised instead.
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
        in_training: bool = False,
        asked_at: float | None = None,
        candidates: int | None = None,
        weights: str = "fp32",
        engine_name: str = "",
    ) -> None:
        """`asked_at` is the perf_counter reading from which the times count; by default now.

        With `candidates` each token carries its TokenProbabilities with that many candidates; None: neither, no cost.
        `weights` and `engine_name` only tell what the engine is.
        """
        self._engine, self._tokenizer, self._block_size = engine, tokenizer, block_size
        self._prompt, self._sampling, self.job = prompt, sampling, job
        self._stamp = (step, validation_loss, in_training)
        self._asked_at = time.perf_counter() if asked_at is None else asked_at
        self._candidates, self._weights, self._engine_name = candidates, weights, engine_name
        self._stopped = False

    def stop(self) -> None:
        """End at the next token; safe to call from another thread."""
        self._stopped = True

    def __iter__(self) -> Iterator[GenerationEvent]:
        """Yield GenerationStarted, a Token each, GenerationEnded.

        Raises UsageError before the first, where banned and allowed characters leave nothing to write.
        """
        tokenizer, engine, job, candidates = self._tokenizer, self._engine, self.job, self._candidates
        ids = tokenizer.encode(self._prompt)
        sampler = Sampler(self._sampling, TokenMask.of(self._sampling, tokenizer))
        step, loss, in_training = self._stamp
        yield GenerationStarted(
            job=job,
            prompt_tokens=len(ids),
            block_size=self._block_size,
            seed=sampler.seed,
            unknown=tokenizer.unknown_in(self._prompt),
            step=step,
            validation_loss=loss,
            in_training=in_training,
            window=engine.window,
            weights=self._weights,
            engine=self._engine_name,
        )
        sampler.begin(ids)
        text = GrowingText(tokenizer, self._sampling)
        # A small model takes some 40 µs for a token: what is looked up once here is not looked up 10,000 times.
        next_logits, draw, push, limit = engine.step, sampler.draw, text.push, self._sampling.max_new_tokens
        first_at: float | None = None
        count = last = 0
        reason: EndReason = "length"
        while count < limit:
            if self._stopped:
                reason = "stopped"
                break
            logits = next_logits(last) if count else engine.prefill(ids or beginning(tokenizer))
            last = draw(logits)
            if not count:
                first_at = time.perf_counter()
            shown = push(last)
            chance = None if candidates is None else probabilities_of(logits, last, candidates, tokenizer)
            yield Token(job, count, last, shown, engine.context_used, chance)
            count += 1
            if text.ended is not None:
                reason = text.ended
                break
        rest = text.finish()
        yield GenerationEnded(
            job=job,
            reason=reason,
            tokens=count,
            seconds=time.perf_counter() - self._asked_at,
            seconds_to_first=None if first_at is None else first_at - self._asked_at,
            text=rest,
        )


class GrowingText:
    """What one text shows: ids in, whole characters out, until something in it ends it."""

    def __init__(self, tokenizer: Tokenizer, sampling: SamplingSettings) -> None:
        self.ended: EndReason | None = None
        self._stream, self._stops = TextStream(tokenizer), Stops.of(sampling)
        self._decode = self._stream.push
        self._end_of_text = tokenizer.end_of_text if sampling.stop_at_end_of_text else None

    def push(self, id: int) -> str:
        """Return the text that can be shown with `id`; `ended` says that it is the last."""
        if id == self._end_of_text:
            self.ended = "end of text"
            return ""
        text = self._decode(id)
        if self._stops is None:
            return text
        text = self._stops.push(text)
        self.ended = self._stops.found
        return text

    def finish(self) -> str:
        """Return what was held back and belongs to the text."""
        if self._stops is None:
            return self._stream.finish()
        if self._stops.found:
            return ""
        return self._stops.push(self._stream.finish()) + self._stops.finish()


def beginning(tokenizer: Tokenizer) -> list[int]:
    """Return what a model is shown where there is no prompt: it must see something.

    A new line, as nanoGPT's sampling script does, or the first id where there is none.
    """
    return tokenizer.encode("\n") or [0]
