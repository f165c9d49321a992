"""What the senses of a text's tokens are, and how much of each is meant: the job behind the view of a backpack."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from tinygpt_tui.architectures.backpack import Backpack
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, Sense, SensesSeen, SenseToken
from tinygpt_tui.generation.probabilities import probabilities_of
from tinygpt_tui.insight.explain import spans_of
from tinygpt_tui.tokenizers.base import Tokenizer

AGAINST = 4  # tokens that a sense speaks most against


class SensesJob:
    """One question about a text: iterate over it for SensesSeen and GenerationEnded."""

    def __init__(self, model: Backpack, tokenizer: Tokenizer, text: str, *, candidates: int = 8, job: int = 0) -> None:
        """`candidates` is how many of the most likely tokens are sent for each sense."""
        self._model, self._tokenizer, self._text = model, tokenizer, text
        self._candidates, self.job = candidates, job
        self._asked_at = time.perf_counter()

    def stop(self) -> None:
        """There is but one answer, and it comes at once."""

    @torch.inference_mode()
    def __iter__(self) -> Iterator[GenerationEvent]:
        """Yield the answer: only the tokens that the last one can still see."""
        model, tokenizer = self._model.eval(), self._tokenizer
        ids = tokenizer.encode(self._text)
        starts, ends = spans_of(ids, self._text, tokenizer)
        reach = min(len(ids), model.settings.block_size)
        context = ids[-model.settings.receptive_field :] if model.settings.sliding else ids[-reach:]
        tokens: tuple[SenseToken, ...] = ()
        if ids:
            meant = model.meant(torch.tensor([context], device=model.device))[0, :, -reach:].T.tolist()
            places = zip(starts[-reach:], ends[-reach:], ids[-reach:], meant, strict=True)
            tokens = tuple(SenseToken(int(start), int(end), id, tuple(weights)) for start, end, id, weights in places)
        yield SensesSeen(self.job, tokens, {id: self._senses(id) for id in sorted(set(ids[-reach:]))})
        seconds = time.perf_counter() - self._asked_at
        yield GenerationEnded(
            job=self.job, reason="length", tokens=len(tokens), seconds=seconds, seconds_to_first=seconds
        )

    def _senses(self, id: int) -> tuple[Sense, ...]:
        table = self._model.sense_logits(id).float().cpu().numpy()  # (S, V)
        return tuple(
            Sense(
                candidates=probabilities_of(logits, id, self._candidates, self._tokenizer).candidates,
                against=tuple(self._text_of(other) for other in logits.argsort()[:AGAINST].tolist()),
            )
            for logits in table
        )

    def _text_of(self, id: int) -> str:
        return self._tokenizer.bytes_of(id).decode("utf-8", "replace")
