"""Several texts side by side through a GPT on the CPU: one product of matrices for all their new ids.

The texts are set flush right: the newest id of each stands in the same column of the memory, however long the text is,
so that all write to one place and a mask hides what lies before the shorter ones began.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.architectures.ngrams import NgramTables
from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.lean_crop import Crop
from tinygpt_tui.generation.lean_rows import Reading, added, bend_, norm_and_turn, product, read, read_long, with_shares
from tinygpt_tui.generation.lean_weights import LeanWeights
from tinygpt_tui.settings.windows import Policy, kept_after, policy_for

ROWS_AT_ONCE = 512  # positions read together: more of them compute no faster and leave the caches


class TorchBatchEngine:
    """A BatchEngine for a GPT on the CPU."""

    def __init__(self, weights: LeanWeights, texts: int, policy: Policy) -> None:
        """At most `texts` (at least one) texts. Raises UsageError, as LeanEngine does."""
        if texts < 1:
            raise UsageError(f"{texts} texts cannot be written", "ask for at least one")
        self._weights, self._room = weights, texts
        self._size = weights.settings.block_size
        self._policy = policy_for(policy, weights.settings)
        self._slides = self._policy == "rolling"
        self._crop: Crop | None = None
        self._texts: list[list[int]] = []  # of each, the ids that may be read again
        self._used: list[int] = []
        self._column = 0  # where the next ids go; the memory holds the last block_size columns, each in its turn
        self._keys = self._values = self._hidden = torch.empty(0)
        # For each layer and each of its shifts, the rows (B, C) that it looks back at, the nearest first.
        self._tails: list[list[list[Tensor]]] = []

    @property
    def window(self) -> Policy:
        """What happens when a text's window is full."""
        return self._policy

    @property
    def contexts_used(self) -> list[int]:
        """What Engine.context_used says, for each text."""
        return list(self._used)

    def prefill(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Begin new texts; see BatchEngine. The same ones are read once.

        Raises UsageError for an id that the model does not know, for an empty text, and for too many texts.
        """
        if not 0 < len(texts) <= self._room:
            raise UsageError(f"{len(texts)} texts: this engine was opened for 1 to {self._room}")
        if not all(len(ids) for ids in texts):
            raise UsageError("a text begins with at least one token")
        keeps = self._weights.settings.felt if self._slides else self._size
        self._texts = [self._checked(ids[-keeps:]) for ids in texts]
        self._used = [min(len(ids), self._size) for ids in self._texts]
        self._column = max(self._used)
        self._begin_memory(len(texts))
        with torch.inference_mode():
            logits = self._read(range(len(texts)))
        answer: NDArray[np.float32] = logits.numpy()
        return answer

    def step(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add one id to each text; see BatchEngine.

        Raises UsageError for an id that the model does not know, and where there is not one for each text.
        """
        if len(ids) != len(self._texts) or not self._texts:
            raise UsageError(f"{len(ids)} ids for {len(self._texts)} texts", "texts begin with `prefill`")
        numbers = self._checked(ids)
        full = [] if self._slides else [row for row, used in enumerate(self._used) if used == self._size]
        kept = kept_after(self._policy, self._size)
        for row in full:
            self._texts[row] = self._texts[row][self._size - kept :]
        with torch.inference_mode():
            # A full text goes along, for nothing: its turn comes below.
            logits = None if len(full) == len(ids) else self._step(numbers)
            for text, id in zip(self._texts, numbers, strict=True):
                text.append(id)
                if len(text) > 2 * self._size + 2:  # only an endless text comes to that
                    del text[: self._size]
            self._used = [min(used + 1, self._size) for used in self._used]
            self._column += 1
            if full:
                for row in full:
                    self._used[row] = kept + 1
                if logits is None:
                    self._column = kept + 1
                    logits = torch.empty(len(ids), self._weights.settings.vocab_size)
                logits[full] = self._read(full)
        assert logits is not None
        answer: NDArray[np.float32] = logits.numpy()
        return answer

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these texts alone; see BatchEngine."""
        self._texts = [self._texts[row] for row in rows]
        self._used = [self._used[row] for row in rows]
        chosen = torch.tensor(rows, dtype=torch.long)
        with torch.inference_mode():
            self._keys, self._values = self._keys[:, chosen], self._values[:, chosen]
            self._tails = [[[row[chosen] for row in tail] for tail in pair] for pair in self._tails]
        self._hidden = self._hidden[: len(rows)]

    def _begin_memory(self, texts: int) -> None:
        settings = self._weights.settings
        C, reach = settings.n_embd, settings.token_shift
        shape = (settings.n_layer, texts, settings.n_head, self._size, settings.head_size)
        # Copied from the rows where they are made: side by side they are quicker to go through, and there are many.
        self._keys, self._values = torch.zeros(shape), torch.zeros(shape)
        self._hidden = torch.empty(texts, 4 * C)
        self._tails = [
            [[torch.zeros(texts, C) for _ in range(reach)] for _ in range(2 if reach else 0)]
            for _ in range(settings.n_layer)
        ]

    def _checked(self, ids: Iterable[int]) -> list[int]:
        size = self._weights.settings.vocab_size
        numbers = [operator.index(id) for id in ids]
        for number in numbers:
            if not 0 <= number < size:
                raise UsageError(f"token {number} is not one of the model's {size}")
        return numbers

    def _read(self, rows: Sequence[int]) -> Tensor:
        """Read the texts in these rows from the start; return logits (R, V)."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for place, row in enumerate(rows):
            alike.setdefault(tuple(self._texts[row]), []).append(place)
        by_length: dict[int, list[tuple[int, ...]]] = {}
        for text in alike:
            by_length.setdefault(len(text), []).append(text)
        logits = torch.empty(len(rows), self._weights.settings.vocab_size)
        for length, texts in by_length.items():
            at_once = max(1, ROWS_AT_ONCE // length)
            if self._slides or (self._policy == "exact" and length == self._size):
                at_once = 1
            for first in range(0, len(texts), at_once):
                group = texts[first : first + at_once]
                found, reading = self._read_alike(group)
                for number, text in enumerate(group):
                    logits[alike[text]] = found[number]
                    if reading is not None:
                        self._remember(reading, number, [rows[place] for place in alike[text]])
        return logits

    def _read_alike(self, texts: list[tuple[int, ...]]) -> tuple[Tensor, Reading | None]:
        """Read texts of one length: logits (R, V) and, where steps will ask for it, what they leave behind."""
        length = len(texts[0])
        start = self._column - length  # rotations count from anywhere: what matters is that all texts end here
        if self._policy == "exact" and length == self._size:
            self._crop = self._crop or Crop(self._weights)
            return self._crop.read(texts[0]), None
        if self._slides:
            reading = read_long(self._weights, texts[0], start)
        else:
            learned = self._weights.places is not None
            reading = read(self._weights, torch.tensor(texts), start=0 if learned else start)
        return reading.logits[:, 0], reading

    def _remember(self, reading: Reading, number: int, rows: list[int]) -> None:
        """Put what text `number` left behind into the memory of `rows`."""
        settings = self._weights.settings
        for layer, qkv in enumerate(reading.qkv):
            count = qkv.shape[1]
            slots = [column % self._size for column in range(self._column - count, self._column)]
            _, k, v = qkv[number].view(count, 3, settings.n_head, -1).unbind(1)  # (S, H, D)
            for row in rows:
                self._keys[layer, row][:, slots] = k.transpose(0, 1)
                self._values[layer, row][:, slots] = v.transpose(0, 1)
            for tail, left in zip(self._tails[layer], reading.tails[layer], strict=True):
                for back, kept in enumerate(tail):
                    kept[rows] = left[number, -1 - back]

    def _step(self, ids: list[int]) -> Tensor:
        """Return logits (B, V) after one more id of each text."""
        weights, settings = self._weights, self._weights.settings
        B, C, H = len(ids), settings.n_embd, settings.n_head
        slot = self._column % self._size
        seen = [min(used + 1, self._size) for used in self._used]
        # Before the columns come round for the first time, the oldest ones are empty, and the newest not yet there.
        first, end = (0, self._size) if self._column >= self._size else (slot + 1 - max(seen), slot + 1)
        hidden_columns = self._hidden_columns(seen, slot, first, end)
        turns = weights.turns(self._column, 1) if settings.positions == "rotary" else None  # (1, D/2)
        x = self._embedded(ids)
        for number, layer in enumerate(weights.layers):
            h = layer.norm_1.of(x)
            if layer.shares_1:
                h = with_shares(h, layer.shares_1, self._tails[number][0])
            qkv = product(h, layer.qkv, layer.qkv_bias)
            norm_and_turn(weights, qkv[:, : 2 * C].view(B, 2 * H, -1), turns)
            q, k, v = qkv.view(B, 3, H, -1).unbind(1)  # (B, H, D)
            keys, values = self._keys[number], self._values[number]  # (B, H, block_size, D)
            keys[:, :, slot] = k
            values[:, :, slot] = v
            keys, values = (part.view(B * H, self._size, -1)[:, first:end] for part in (keys, values))
            scores = torch.baddbmm(hidden_columns, q.reshape(B * H, 1, -1), keys.transpose(1, 2))  # (B * H, 1, n)
            torch.softmax(scores, 2, out=scores)
            added(x, torch.bmm(scores, values).view(B, C), layer.proj, layer.proj_bias)
            h = layer.norm_2.of(x)
            if layer.shares_2:
                h = with_shares(h, layer.shares_2, self._tails[number][1])
            product(h, layer.fc, layer.fc_bias, out=self._hidden)
            bend_(self._hidden, settings.activation)
            added(x, self._hidden, layer.down, layer.down_bias)
        return product(weights.norm.of(x), weights.head, weights.head_bias)

    def _hidden_columns(self, seen: list[int], slot: int, first: int, end: int) -> Tensor:
        """Return what is added to the scores of columns `first` to `end`, (B * H, 1, n): -inf where a text is not."""
        H = self._weights.settings.n_head
        if min(seen) == end - first:
            return torch.zeros(1, 1, 1).expand(len(seen) * H, 1, end - first)
        age = (slot - torch.arange(first, end)) % self._size
        absent = age >= torch.tensor(seen)[:, None]
        added_to = torch.zeros(absent.shape).masked_fill_(absent, -torch.inf)
        return added_to.repeat_interleave(H, dim=0)[:, None]

    def _embedded(self, ids: list[int]) -> Tensor:
        """Return the stream's beginning (B, C), the step's own to write on."""
        weights = self._weights
        x = F.embedding(torch.tensor(ids), weights.tokens)
        if weights.places is not None:
            last = self._size - 1  # a full text has no next place; what it is given here is not used
            x += weights.places[[min(used, last) for used in self._used]]
        if weights.ngrams is not None:
            before = [([NgramTables.NOTHING] * 2 + text[-2:])[-2:] for text in self._texts]
            x += weights.ngrams(torch.tensor(ids)[:, None], torch.tensor(before))[:, 0]
        return x if weights.embedding_norm is None else weights.embedding_norm.of(x)
