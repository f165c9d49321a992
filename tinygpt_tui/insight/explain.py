"""What a model thought of a text that is already written, token by token: the job behind the token microscope."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import TinyGPTError, UsageError
from tinygpt_tui.events.generation import (
    EndReason,
    Explained,
    GenerationEnded,
    GenerationEvent,
    TokenProbabilities,
    TokenSeen,
)
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.probabilities import probabilities_of
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.base import Tokenizer

BATCH = 64  # tokens of one event at most, except for a character that has more
PATIENCE_S = 0.05  # slow tokens are not kept waiting for a batch longer than this
LARGEST_TABLE = 1 << 24  # logits of one pass over the window, 64 MiB; above, it is read token by token

Offsets = NDArray[np.int64]


class ExplainJob:
    """One question about a text: iterate over it for its events; `stop` ends it at the next token.

    Its answers are Explained, in order of the text and never with a character cut between two of them, then one
    GenerationEnded; only what breaks inside the engine is raised instead.

    Each token is judged by the logits that the model has after all that comes before it. Where that is more than the
    window, the engine's policy decides: under `exact` the last block_size tokens are read again for every token, which
    is slow; under `rolling` one pass is enough. Under `reanchor` it depends on where the writing began, which a text
    does not tell: it is judged as under `exact`, with the whole window in sight.

    The text is encoded as a whole: a model whose tokens are longer than characters may have written it in others.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        block_size: int,
        text: str,
        start: int,
        end: int,
        *,
        candidates: int = 10,
        sampling: SamplingSettings | None = None,
        job: int = 0,
        asked_at: float | None = None,
    ) -> None:
        """Ask about characters `start` to `end`; what is outside the text is left out.

        With `sampling` the answer says, too, how likely these settings make each candidate.
        `asked_at` is the perf_counter reading from which the times count; by default now.
        """
        self._engine, self._tokenizer, self._block_size = engine, tokenizer, block_size
        self._text, self._start, self._end = text, max(0, start), min(end, len(text))
        self._candidates, self.job = candidates, job
        self._sampler: Sampler | None = None
        if sampling is not None:
            with contextlib.suppress(UsageError):  # they leave this model no token: nothing is drawn
                self._sampler = Sampler(sampling, TokenMask.of(sampling, tokenizer))
        self._asked_at = time.perf_counter() if asked_at is None else asked_at
        self._stopped = False

    def stop(self) -> None:
        """End at the next token; safe to call from another thread."""
        self._stopped = True

    def __iter__(self) -> Iterator[GenerationEvent]:
        """Yield Explained, some tokens each, and GenerationEnded."""
        batch: list[TokenSeen] = []
        count = 0
        first_at: float | None = None
        handed_on_at = time.perf_counter()
        for seen in self._seen():
            now = time.perf_counter()
            due = len(batch) >= BATCH or now - handed_on_at > PATIENCE_S
            if batch and due and seen.start >= batch[-1].end:
                yield Explained(self.job, tuple(batch))
                batch, handed_on_at = [], now
            batch.append(seen)
            first_at = first_at or now
            count += seen.id >= 0
        if batch:
            yield Explained(self.job, tuple(batch))
        reason: EndReason = "stopped" if self._stopped else "length"
        yield GenerationEnded(
            job=self.job,
            reason=reason,
            tokens=count,
            seconds=time.perf_counter() - self._asked_at,
            seconds_to_first=None if first_at is None else first_at - self._asked_at,
        )

    def _seen(self) -> Iterator[TokenSeen]:
        """Yield the tokens that cover the characters asked about, and what no token covers, until stopped."""
        ids = self._tokenizer.encode(self._text)
        starts, ends = spans_of(ids, self._text, self._tokenizer)
        first = int(np.searchsorted(ends, self._start, side="right"))
        last = max(first, int(np.searchsorted(starts, self._end, side="left")))
        reached = self._start
        opinions = self._opinions(ids, first, last)
        for index in range(first, last):
            if self._stopped:
                return
            logits = next(opinions)
            start, end = int(starts[index]), int(ends[index])
            if start == end:
                continue
            yield from _unknown(reached, start)
            yield TokenSeen(start, end, ids[index], self._chance(ids, index, logits))
            reached = max(reached, end)
        if not self._stopped:
            yield from _unknown(reached, self._end)

    def _chance(self, ids: Sequence[int], index: int, logits: NDArray[np.float32] | None) -> TokenProbabilities | None:
        """Return what logits (V,) say of the token at `index`; None without them."""
        if logits is None:
            return None
        drawn, sampler = None, self._sampler
        if sampler is not None:
            if sampler.past is not None:
                sampler.begin(ids[:index])
            with contextlib.suppress(TinyGPTError):
                drawn = sampler.probabilities(logits)
        return probabilities_of(logits, ids[index], self._candidates, self._tokenizer, drawn)

    def _opinions(self, ids: Sequence[int], first: int, last: int) -> Iterator[NDArray[np.float32] | None]:
        """Yield the logits (V,) before each of tokens `first` to `last`; None for the text's first."""
        if first == 0:
            yield None
            first = 1
        inside = min(last, self._block_size + 1)  # what comes before these fits the window
        if first < inside and (inside - 1) * self._tokenizer.size <= LARGEST_TABLE:
            yield from self._engine.every(ids[: inside - 1])[first - 1 :]
            first = inside
        rolling = self._engine.window == "rolling"
        if rolling:
            inside = last
        for index in range(first, last):
            if first < index < inside:
                yield self._engine.step(ids[index - 1])
            elif rolling:
                yield self._engine.prefill(ids[:index])
            else:
                yield self._engine.prefill(ids[max(0, index - self._block_size) : index])


def spans_of(ids: Sequence[int], text: str, tokenizer: Tokenizer) -> tuple[Offsets, Offsets]:
    """Return where each token begins and ends in `text`, in characters, two arrays (T,), from the first it holds to
    behind the last, also where it holds only a part of them.

    A token whose bytes are not in the text there (a mark for the beginning) covers none: its start is its end.
    """
    # Half a surrogate pair has no UTF-8, and so no token; it must not keep the others from being found.
    characters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    known = ~np.isin(characters, [ord(character) for character in tokenizer.unknown_in("".join(set(text)))])
    data = characters[known].tobytes().decode("utf-32-le", "surrogatepass").encode("utf-8", "surrogatepass")
    begins = (np.frombuffer(data, dtype=np.uint8) & 0xC0) != 0x80
    # The character that each byte is of; behind the last byte, the text's end.
    owner = np.append(np.flatnonzero(known)[np.cumsum(begins) - 1], len(text))
    pieces = {id: tokenizer.bytes_of(id) for id in set(ids)}
    if b"".join(map(pieces.__getitem__, ids)) == data:
        sizes = np.fromiter((len(pieces[id]) for id in ids), dtype=np.int64, count=len(ids))
    else:
        sizes = np.array(_sizes_found([pieces[id] for id in ids], data), dtype=np.int64)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    return owner[starts], np.where(sizes > 0, owner[ends - 1] + 1, owner[starts])


def _sizes_found(pieces: Sequence[bytes], data: bytes) -> list[int]:
    """Return how many bytes of `data` each piece is, one after the other; 0 for one that is not there.

    A Llama's tokenizer puts a blank before a text; it is none of the text's.
    """
    sizes, at = [], 0
    for piece in pieces:
        if at == 0 and not data.startswith(piece):
            piece = piece.removeprefix(b" ")
        sizes.append(len(piece) if data.startswith(piece, at) else 0)
        at += sizes[-1]
    return sizes


def _unknown(start: int, end: int) -> Iterator[TokenSeen]:
    return (TokenSeen(offset, offset + 1, -1, None) for offset in range(start, end))
