"""A prompt becomes text: from an engine's logits to whole characters, until something ends it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import Adapted, EndReason, GenerationEnded, GenerationStarted, SamplingChanged, Token
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.probabilities import probabilities_of
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.generation.stops import Stops
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.settings.sampling import SamplingChange, SamplingSettings
from tinygpt_tui.settings.windows import Policy
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.dialogues import prompt_for
from tinygpt_tui.tokenizers.stream import TextStream

TextEvent = GenerationStarted | Token | SamplingChanged | Adapted | GenerationEnded


class TextGeneration:
    """One text: takes logits, draws tokens from them and reports events. An engine of its own or a Batch feeds it.

    `ids` are the prompt as the engine reads it, `count` the tokens written, `last` the last of them.
    """

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
        engine_name: str = "",
        step: int | None = None,
        validation_loss: float | None = None,
        in_training: bool = False,
        asked_at: float | None = None,
    ) -> None:
        """With `candidates` each token carries its TokenProbabilities with that many candidates; None: no cost.
        The times count from `asked_at`, a perf_counter reading; by default from now. The others only go into the
        events. Raises UsageError if banned and allowed characters leave nothing to write.
        """
        ids = tokenizer.encode(prompt_for(tokenizer, prompt))
        self._sampling = sampling
        self.sampler = Sampler(sampling, TokenMask.of(sampling, tokenizer))
        self.sampler.begin(ids)
        self.ids, self.count, self.last = ids or first_ids(tokenizer), 0, 0
        self.job, self.sample = job, sample
        self.error: TinyGPTError | None = None  # what the text failed with
        self._tokenizer, self._candidates, self._limit = tokenizer, candidates, sampling.max_new_tokens
        self._detailed = 0
        self._text = _GrowingText(tokenizer, sampling)
        self._asked_at = time.perf_counter() if asked_at is None else asked_at
        self._first_at: float | None = None
        self._stopped = False
        self._started = GenerationStarted(
            job=job,
            prompt_tokens=len(ids),
            block_size=block_size,
            seed=self.sampler.seed,
            unknown=tokenizer.unknown_in(prompt),
            step=step,
            validation_loss=validation_loss,
            in_training=in_training,
            weights=sampling.weights,
            engine=engine_name,
            sample=sample,
        )

    def stop(self) -> None:
        """End at the next token; safe to call from another thread."""
        self._stopped = True

    def change(self, change: SamplingChange) -> bool:
        """Draw the next tokens by other settings; return whether they are others."""
        before, self._sampling = self._sampling, change.applied_to(self._sampling)
        self.sampler.change(self._sampling)
        return before != self._sampling

    def detail(self, candidates: int) -> None:
        """Have the next tokens carry this many candidates, with the probability that the settings draw each; 0: end."""
        self._detailed = candidates

    def start(self, window: Policy) -> GenerationStarted:
        """Return the first event; `window` is the engine's."""
        return msgspec.structs.replace(self._started, window=window)

    def draw(self, logits: NDArray[np.float32], context_used: int) -> Token:
        """Draw the next token from logits (V,). Raises what Sampler.draw raises."""
        drawn = self.sampler.probabilities(logits) if self._detailed else None
        return self.add(self.sampler.draw(logits), logits, context_used, drawn)

    def add(
        self, id: int, logits: NDArray[np.float32], context_used: int, drawn: NDArray[np.float64] | None = None
    ) -> Token:
        """Add the token `id`, which was drawn from logits (V,); `drawn` (V,) by Sampler.probabilities."""
        if not self.count:
            self._first_at = time.perf_counter()
        self.last = id
        shown, place = self._text.push(id), self.count
        self.count = place + 1
        chance = None
        candidates = self._detailed or self._candidates
        if candidates is not None:
            chance = probabilities_of(logits, id, candidates, self._tokenizer, drawn)
        return Token(self.job, place, id, shown, context_used, chance, self.sample)

    @property
    def ended(self) -> EndReason | None:
        """Why no more tokens are to be drawn; None while there are more."""
        if self.error is not None:
            return "failed"
        if self._text.ended is not None:
            return self._text.ended
        if self.count >= self._limit:
            return "length"
        return "stopped" if self._stopped else None

    def end(self) -> GenerationEnded:
        """Return the last event, with the text that was held back."""
        error = self.error
        return GenerationEnded(
            job=self.job,
            reason=self.ended or "stopped",
            tokens=self.count,
            seconds=time.perf_counter() - self._asked_at,
            seconds_to_first=None if self._first_at is None else self._first_at - self._asked_at,
            text=self._text.finish(),
            message=error.message if error else "",
            hint=error.hint if error else "",
            sample=self.sample,
        )


class GenerationJob:
    """Writes one text with an engine of its own: iterate over it for the events; `stop` ends it at the next token.

    Its last event is GenerationEnded; errors inside the engine are raised instead. Do not advance it
    while it is `waiting`.
    """

    def __init__(
        self,
        engine: Engine,
        text: TextGeneration,
        allowed: int | None = None,
        changes: Sequence[SamplingChange] = (),
    ) -> None:
        """`allowed` as for `allow`; `changes` of the settings are applied on the way."""
        self._engine, self._text = engine, text
        self._allowed, self._started = allowed, False
        self._changes = list(changes)

    def stop(self) -> None:
        """End at the next token; safe to call from another thread."""
        self._text.stop()

    def allow(self, tokens: int | None, candidates: int = 0) -> None:
        """Set how many tokens may be drawn in all, None: any number, and how many candidates they carry."""
        self._allowed = tokens
        self._text.detail(candidates)

    def change_sampling(self, sampling: SamplingSettings) -> None:
        """Draw the next tokens by other settings; see ChangeSampling."""
        self._changes = [SamplingChange.to(sampling, self._text.count)]

    @property
    def waiting(self) -> bool:
        """Whether the next event is a token that is not allowed yet."""
        text, allowed = self._text, self._allowed
        return allowed is not None and self._started and text.count >= allowed and text.ended is None

    def __iter__(self) -> Iterator[TextEvent]:
        """Yield GenerationStarted, a Token each, SamplingChanged before tokens that are drawn differently,
        GenerationEnded. Raises CheckpointError if logits are not numbers."""
        engine, text = self._engine, self._text
        self._started = True
        yield text.start(engine.window)
        yield from self.before()
        while text.ended is None:
            while self._changes and self._changes[0].at <= text.count:
                change = self._changes.pop(0)
                if text.change(change):
                    yield SamplingChanged(text.job, change)
            logits = engine.step(text.last) if text.count else engine.prefill(text.ids)
            yield text.draw(logits, engine.context_used)
        yield from self.after()
        yield text.end()

    def before(self) -> Iterator[TextEvent]:
        """Yield what happens before the first token."""
        return iter(())

    def after(self) -> Iterator[TextEvent]:
        """Yield what happens after the last token."""
        return iter(())


class _GrowingText:
    """The characters of one text: ids in, whole characters out, until something in it ends it."""

    def __init__(self, tokenizer: Tokenizer, sampling: SamplingSettings) -> None:
        self.ended: EndReason | None = None
        self._stream, self._stops = TextStream(tokenizer), Stops.of(sampling)
        self._decode = self._stream.push
        self._end_of_text = tokenizer.end_of_text if sampling.stop_at_end_of_text else None

    def push(self, id: int) -> str:
        """Return the text that can be shown after `id`; `ended` says if it is the last."""
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


def first_ids(tokenizer: Tokenizer) -> list[int]:
    """Return what a model reads if there is no prompt, as it must read something.

    A new line, as in nanoGPT's sampling script, or the first id if the tokenizer has none.
    """
    return tokenizer.encode("\n") or [0]
