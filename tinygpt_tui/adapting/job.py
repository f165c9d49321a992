"""A GenerationJob whose engine adapts to the prompt, and says what it learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinygpt_tui.adapting.engine import AdaptiveEngine
from tinygpt_tui.adapting.learned import LearnedWords
from tinygpt_tui.events.generation import Adapted
from tinygpt_tui.generation.text import GenerationJob, TextEvent, TextGeneration
from tinygpt_tui.settings.sampling import SamplingChange
from tinygpt_tui.tokenizers.base import Tokenizer


class AdaptiveJob(GenerationJob):
    """Reads the prompt a block at a time, with an Adapted each, so that it can be stopped; one more before the end."""

    def __init__(
        self,
        engine: AdaptiveEngine,
        text: TextGeneration,
        tokenizer: Tokenizer,
        allowed: int | None = None,
        changes: Sequence[SamplingChange] = (),
    ) -> None:
        super().__init__(engine, text, allowed, changes)
        self.engine, self._tokenizer = engine, tokenizer
        engine.in_use = True

    def __iter__(self) -> Iterator[TextEvent]:
        """Yield the events; then the engine is not `in_use` any more."""
        try:
            yield from super().__iter__()
        finally:
            self.engine.in_use = False

    def before(self) -> Iterator[TextEvent]:
        for read in self.engine.reading(self._text.ids):
            yield self._adapted(read)
            if self._text.ended is not None:
                return

    def after(self) -> Iterator[TextEvent]:
        """Say what was learned."""
        yield self._adapted(len(self._text.ids), words_of(self.engine, self._tokenizer))

    def _adapted(self, read: int, words: LearnedWords | None = None) -> Adapted:
        return Adapted(
            self._text.job, read, len(self._text.ids), self.engine.steps, words.best() if words is not None else ()
        )


def words_of(engine: AdaptiveEngine, tokenizer: Tokenizer) -> LearnedWords:
    """Return what an engine learned of the words of its text."""
    words = LearnedWords()
    for id, loss in zip(engine.ids, engine.losses, strict=True):
        words.add(tokenizer.bytes_of(id).decode("utf-8", "ignore"), loss)
    return words
