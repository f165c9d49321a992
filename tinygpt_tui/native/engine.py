"""From ids to the next token's logits by gpt.c, one text or many at once, with numpy and without torch."""

from __future__ import annotations

import math
import operator
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np

from tinygpt_tui.errors import UsageError
from tinygpt_tui.native.library import Library, Text
from tinygpt_tui.native.panels import aligned_zeros, padded
from tinygpt_tui.native.reader import Logits, Reader
from tinygpt_tui.native.weights import NativeWeights
from tinygpt_tui.settings.windows import Policy, retained_after


class NativeEngine:
    """An Engine with the logits of TorchEngine, also when the window is full.

    Engines may share weights; each has its own memory. Both are numpy arrays and are freed with the object.
    """

    def __init__(self, weights: NativeWeights, library: Library | None = None, *, policy: Policy = "exact") -> None:
        """`library`: by default the one built with the package.

        Raises EngineError if there is none, UsageError for `rolling` if the model was not trained to slide.
        """
        self._reader = reader = Reader(weights, library, policy, texts=1)
        (self._text,) = reader.texts
        self._vocab_size, self._block_size = reader.vocab_size, reader.block_size
        self._tail = Tail(policy, self._block_size)
        # A step is short: what does not change from one to the next is built once.
        self._id, self._found = np.zeros(1, dtype=np.int32), aligned_zeros(padded(self._vocab_size))
        self._logits = self._found[: self._vocab_size]
        self._step = reader.job([self._text], self._id, self._found)

    @property
    def window(self) -> Policy:
        """What happens when the window is full; see Engine."""
        return self._reader.policy

    @property
    def context_used(self) -> int:
        """How many tokens the last logits were computed from, at most block_size."""
        return min(int(self._text.position), self._block_size)

    def prefill(self, ids: Sequence[int]) -> Logits:
        """Start a text with `ids` (at least one); return logits (V,). Raises UsageError for an unknown id or none."""
        logits = self._reader.begin(self._text, ids)
        self._tail.begin(ids)
        return logits

    def step(self, id: int) -> Logits:
        """Add one id; return logits (V,). Raises UsageError for an unknown id, or before `prefill`."""
        number = operator.index(id)
        if not 0 <= number < self._vocab_size:
            raise self._reader.unknown(number)
        if not self._text.position:
            raise UsageError("a text begins with `prefill`")
        again = self._tail.add(number)
        if again:
            return self._reader.begin(self._text, again)
        self._id[0] = number
        self._reader.run(self._step)
        return self._logits.copy()

    def every(self, ids: Sequence[int]) -> Logits:
        """Return the logits (T, V) after each of `ids` (T,), at most block_size; forgets the text.

        Raises UsageError for an unknown id, for none and for too many.
        """
        self._text.position = 0
        if not 0 < len(ids) <= self._block_size:
            raise UsageError(f"{len(ids)} tokens: the window has room for 1 to {self._block_size}")
        logits = self._reader.read([self._text], self._reader.checked(ids), every=True)
        self._text.position = 0
        return logits


class NativeBatchEngine:
    """A BatchEngine: one pass for all texts with room in their windows; a text whose window is full is read again."""

    def __init__(
        self, weights: NativeWeights, library: Library | None = None, *, texts: int, policy: Policy = "exact"
    ) -> None:
        """At most `texts` (at least one) texts. Raises what NativeEngine raises."""
        if texts < 1:
            raise UsageError(f"{texts} texts cannot be written", "ask for at least one")
        self._reader = Reader(weights, library, policy, texts)
        self._tails: list[Tail] = []
        self._texts: list[Text] = []

    @property
    def window(self) -> Policy:
        return self._reader.policy

    @property
    def contexts_used(self) -> list[int]:
        return [min(text.position, self._reader.block_size) for text in self._texts]

    def join(self, texts: Sequence[Sequence[int]]) -> Logits:
        """Start `texts` behind the others; return their logits (B, V). Equal texts are read once.

        Raises UsageError for an unknown id, an empty text and too many texts; the other texts are not affected.
        """
        taken = {text.memory for text in self._texts}
        free = [text for text in self._reader.texts if text.memory not in taken]
        if len(texts) > len(free):
            raise UsageError(f"{len(texts)} more texts: this engine has room for {len(free)}")
        logits = np.empty((len(texts), self._reader.vocab_size), dtype=np.float32)
        read: dict[tuple[int, ...], int] = {}
        for place, ids in enumerate(texts):
            equal = read.setdefault(tuple(ids), place)
            if equal == place:
                logits[place] = self._reader.begin(free[place], ids)
            else:
                self._reader.copy(free[equal], free[place])
                logits[place] = logits[equal]
        for ids in texts:
            self._tails.append(Tail(self.window, self._reader.block_size))
            self._tails[-1].begin(ids)
        self._prepare([*self._texts, *free[: len(texts)]])
        return logits

    def step(self, ids: Sequence[int]) -> Logits:
        """Add one id to each text; return logits (B, V).

        Raises UsageError for an unknown id, and if there is not exactly one for each text.
        """
        if len(ids) != len(self._texts) or not self._texts:
            raise UsageError(f"{len(ids)} ids for {len(self._texts)} texts", "start texts with `join`")
        numbers = self._reader.checked(ids)
        again = [tail.add(number) for tail, number in zip(self._tails, numbers.tolist(), strict=True)]
        inside = [place for place, text in enumerate(again) if not text]
        if len(inside) == len(ids):
            self._ids[:] = numbers
            self._reader.run(self._step)
            return self._logits.copy()
        logits = np.empty((len(ids), self._reader.vocab_size), dtype=np.float32)
        if inside:
            logits[inside] = self._reader.read([self._texts[place] for place in inside], numbers[inside])
        for place, text in enumerate(again):
            if text:
                logits[place] = self._reader.begin(self._texts[place], text)
        return logits

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Continue with the texts at these places only, in this order."""
        assert len(set(rows)) == len(rows), "a text cannot be kept twice"
        self._tails = [self._tails[row] for row in rows]
        self._prepare([self._texts[row] for row in rows])

    def _prepare(self, texts: list[Text]) -> None:
        """Build once what every step of these texts uses."""
        self._texts = texts
        if not texts:
            return
        self._ids = np.zeros(len(texts), dtype=np.int32)
        found = aligned_zeros(len(texts) * padded(self._reader.vocab_size)).reshape(len(texts), -1)
        self._logits = found[:, : self._reader.vocab_size]
        self._step = self._reader.job(texts, self._ids, found)


class Tail:
    """The ids in a text's window, which are read again when it is full."""

    def __init__(self, policy: Policy, block_size: int) -> None:
        self._sliding = policy == "rolling"
        self._block_size, self._keep_last = block_size, retained_after(policy, block_size)
        self._ids: deque[int] = deque(maxlen=block_size)
        self._free = 0.0

    def begin(self, ids: Iterable[int]) -> None:
        """Start a text with `ids`."""
        self._ids.clear()
        self._ids.extend(ids)
        self._free = math.inf if self._sliding else self._block_size - len(self._ids)

    def add(self, id: int) -> list[int] | None:
        """Add `id`; return the ids to read as a new text, None if the window had room."""
        self._ids.append(id)
        if self._free:
            self._free -= 1
            return None
        again = list(self._ids)[-self._keep_last - 1 :]
        self.begin(again)
        return again
