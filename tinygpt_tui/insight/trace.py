"""A walk through a forward pass: the job behind the Inspect tab."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.events.generation import EndReason, GenerationEnded, GenerationEvent
from tinygpt_tui.events.tracing import Guess, LensRow, Traced, TraceStarted, TraceStep
from tinygpt_tui.generation.text import first_ids
from tinygpt_tui.insight.lens import logits_after_layers
from tinygpt_tui.insight.pictures import rows_for
from tinygpt_tui.insight.recorder import Recorder
from tinygpt_tui.insight.token_map import token_map
from tinygpt_tui.settings.architecture import name_of
from tinygpt_tui.tokenizers.base import Tokenizer

AT_ONCE = 256 << 10  # bytes of pictures in one event, about
SHORTEST_WINDOW = 64  # tokens that are read of a text where the net itself has no window
GUESSES = 8


class TraceJob:
    """One walk: iterate for its events; `stop` ends it at the next one.

    Its answers are TraceStarted, Traced, several times (steps, the map of the embeddings, the lens), and a
    GenerationEnded; what breaks inside is raised.
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, text: str, *, job: int = 0) -> None:
        self._model, self._tokenizer, self._text, self.job = model, tokenizer, text, job
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def __iter__(self) -> Iterator[GenerationEvent]:
        began = time.perf_counter()
        model, tokenizer, settings = self._model, self._tokenizer, self._model.settings
        whole = tokenizer.encode(self._text)
        ids = whole or first_ids(tokenizer)
        window = model.block_size or max(settings.block_size, SHORTEST_WINDOW)
        ids = ids[-window:]
        rows = min(rows_for(settings), len(ids))
        yield TraceStarted(
            job=self.job,
            architecture=name_of(settings),
            tokens=tuple(tokenizer.bytes_of(id).decode("utf-8", "replace") for id in ids),
            ids=tuple(ids),
            rows=rows,
            left_out=max(0, len(whole) - window),
            unknown=tokenizer.unknown_in(self._text),
            empty=not whole,
        )
        read = torch.tensor([ids], device=model.device)
        recorder = Recorder(model, rows)
        recorder.record(read)
        for some in _batches(recorder.steps):
            yield Traced(self.job, steps=some)
        tokens, share = token_map(model, tokenizer)
        yield Traced(self.job, places=tokens, share=share)
        places = _places_of_layers(recorder.steps)
        for row, logits in enumerate(logits_after_layers(model, read, rows)):
            if self._stopped:
                break
            title = "embedding" if not row else f"block {row}"
            last = len(recorder.steps) - 1
            step = places[row] if row < len(places) else last
            guesses = () if logits is None else tuple(self._guesses(logits[0]))
            if len(places) < 2:
                title, step = "table", last
            yield Traced(self.job, lens=(LensRow(title, step, guesses),))
        reason: EndReason = "stopped" if self._stopped else "length"
        yield GenerationEnded(
            job=self.job, reason=reason, tokens=0, seconds=time.perf_counter() - began, seconds_to_first=None
        )

    def _guesses(self, logits: Tensor) -> Iterator[tuple[Guess, ...]]:
        """Yield the most likely next tokens after each of logits (T, V)."""
        chances, ids = logits.float().softmax(-1).nan_to_num().topk(min(GUESSES, logits.shape[-1]))
        for row, likely in zip(chances.tolist(), ids.tolist(), strict=True):
            yield tuple(
                Guess(self._tokenizer.bytes_of(id).decode("utf-8", "replace"), chance)
                for chance, id in zip(row, likely, strict=True)
            )


def _batches(steps: list[TraceStep]) -> Iterator[tuple[TraceStep, ...]]:
    batch: list[TraceStep] = []
    size = 0
    for step in steps:
        batch.append(step)
        size += sum(len(picture.values) for picture in step.pictures)
        if size > AT_ONCE:
            yield tuple(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)


def _places_of_layers(steps: list[TraceStep]) -> list[int]:
    """Return the number of the step before the first block, and of the last one of each block."""
    found: list[int] = []
    for before, step in zip(steps, [*islice(steps, 1, None), None], strict=True):
        block = before.place[:1] if before.place and before.place[0].startswith("block") else ()
        after = step.place[:1] if step is not None else ()
        if after != before.place[:1] and (block or (not found and after and after[0].startswith("block"))):
            found.append(before.number)
    return found
