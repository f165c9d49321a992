"""Several texts side by side through a GPT on the CPU: one product of matrices for all their new ids.

Each text stands in its row of the memory as it would if it were alone, from the left; a mask hides what lies behind the
shorter ones. So they may begin at any time, and be of any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.architectures.extras import NgramTables
from tinygpt_tui.generation.lean_crop import Crop
from tinygpt_tui.generation.lean_rows import (
    Reading,
    activate_,
    added,
    norm_and_turn,
    product,
    read,
    read_long,
    with_shares,
)
from tinygpt_tui.generation.lean_weights import LeanWeights
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.settings.windows import Policy


class TorchBatchEngine(SlotBatchEngine[tuple[Reading, int]]):
    """A JoiningEngine for a GPT on the CPU."""

    def __init__(self, weights: LeanWeights, texts: int, policy: Policy) -> None:
        """At most `texts` (at least one) texts. Raises UsageError, as LeanEngine does."""
        settings = weights.settings
        super().__init__(settings, settings.receptive_field, texts, policy)
        self._weights = weights
        self._crop: Crop | None = None
        # Copied from the rows where they are made: side by side they are quicker to go through, and there are many.
        self._keys = self._values = self._new_rows(0)  # (L, rows, H, block_size, D)
        self._hidden = torch.empty(0, 4 * settings.n_embd)
        # What is added to the scores of a text of n ids is line n: -inf for the columns that it has not reached.
        self._stairs = torch.full((self._size, self._size), -torch.inf).triu(1)
        # For each layer and each of its shifts, the rows (B, C) that it looks back at, the nearest first.
        self._tails = [
            [[torch.zeros(0, settings.n_embd)] * settings.token_shift for _ in range(2)]
            for _ in range(settings.n_layer)
        ]

    def _new_rows(self, rows: int) -> Tensor:
        settings = self._weights.settings
        return torch.zeros(settings.n_layer, rows, settings.n_head, self._size, settings.head_size)

    @torch.inference_mode()
    def _make_room(self, rows: int) -> None:
        there = self._keys.shape[1]
        if rows > there:
            more = max(rows, min(2 * there, self._room)) - there
            self._keys = torch.cat((self._keys, self._new_rows(more)), dim=1)
            self._values = torch.cat((self._values, self._new_rows(more)), dim=1)
            self._hidden = torch.empty(there + more, self._hidden.shape[1])

    @torch.inference_mode()
    def _read_alike(
        self, texts: Sequence[Sequence[int]], goes_on: bool
    ) -> tuple[NDArray[np.float32], list[tuple[Reading, int]]]:
        if self._slides:
            readings = [read_long(self._weights, ids) for ids in texts]
            return torch.cat([reading.logits[:, 0] for reading in readings]).numpy(), [(one, 0) for one in readings]
        if self._policy == "exact" and not goes_on:
            crop = self._crop = self._crop or Crop(self._weights)
            return torch.cat([crop.read(ids) for ids in texts]).numpy(), []
        reading = read(self._weights, torch.tensor(texts))
        return reading.logits[:, 0].numpy(), [(reading, number) for number in range(len(texts))]

    @torch.inference_mode()
    def _assign(self, left: tuple[Reading, int], row: int, seen: int) -> None:
        reading, number = left
        settings = self._weights.settings
        slots = torch.arange(max(0, seen - self._size), seen) % self._size
        # What an earlier text has left there is hidden, but a number that is none shows through any mask.
        self._keys[:, row] = self._values[:, row] = 0
        for layer, qkv in enumerate(reading.qkv):
            _, k, v = qkv[number].view(len(slots), 3, settings.n_head, -1).unbind(1)  # (S, H, D)
            self._keys[layer, row][:, slots] = k.transpose(0, 1)
            self._values[layer, row][:, slots] = v.transpose(0, 1)
            for tail, last in zip(self._tails[layer], reading.tails[layer], strict=False):
                for back, kept in enumerate(tail):
                    tail[back] = torch.cat((kept, last[number, -1 - back][None]))

    @torch.inference_mode()
    def _evict(self, row: int, last: int) -> None:
        if row != last:
            self._keys[:, row], self._values[:, row] = self._keys[:, last], self._values[:, last]
        for pair in self._tails:
            for tail in pair:
                for back, kept in enumerate(tail):
                    kept[row] = kept[last]
                    tail[back] = kept[:last]

    @torch.inference_mode()
    def _step(self, ids: list[int]) -> NDArray[np.float32]:
        weights, settings = self._weights, self._weights.settings
        B, C, H = len(ids), settings.n_embd, settings.n_head
        seen = [text.seen for text in self._active]
        places = torch.tensor(seen)
        # Where keys and values go: equally long texts have one place, and that is found more quickly.
        here: Any = (torch.arange(B), slice(None), places % self._size)
        if seen.count(seen[0]) == B:
            here = (slice(B), slice(None), seen[0] % self._size)
        columns = min(max(seen) + 1, self._size)
        hidden_columns = self._stairs[places.clamp(max=self._size - 1), :columns].repeat_interleave(H, 0)[:, None]
        turns = weights.turns_at(places)[:, None] if settings.positions == "rotary" else None  # (B, 1, D/2)
        x, hidden = self._embedded(ids, places), self._hidden[:B]
        for number, layer in enumerate(weights.layers):
            h = layer.norm_1.of(x)
            if layer.shares_1:
                h = with_shares(h, layer.shares_1, self._tails[number][0])
            qkv = product(h, layer.qkv, layer.qkv_bias)
            norm_and_turn(weights, qkv[:, : 2 * C].view(B, 2 * H, -1), turns)
            q, k, v = qkv.view(B, 3, H, -1).unbind(1)  # (B, H, D)
            keys, values = self._keys[number], self._values[number]  # (rows, H, block_size, D)
            keys[here] = k
            values[here] = v
            keys, values = (part[:B].view(B * H, self._size, -1)[:, :columns] for part in (keys, values))
            scores = torch.baddbmm(hidden_columns, q.reshape(B * H, 1, -1), keys.transpose(1, 2))  # (B * H, 1, n)
            torch.softmax(scores, 2, out=scores)
            added(x, torch.bmm(scores, values).view(B, C), layer.proj, layer.proj_bias)
            h = layer.norm_2.of(x)
            if layer.shares_2:
                h = with_shares(h, layer.shares_2, self._tails[number][1])
            product(h, layer.fc, layer.fc_bias, out=hidden)
            activate_(hidden, settings.activation)
            added(x, hidden, layer.down, layer.down_bias)
        return product(weights.norm.of(x), weights.head, weights.head_bias).numpy()

    def _embedded(self, ids: list[int], places: Tensor) -> Tensor:
        """Return the stream's beginning (B, C), the step's own to write on."""
        weights = self._weights
        numbers = torch.tensor(ids)
        x = F.embedding(numbers, weights.tokens)
        if weights.places is not None:
            x += weights.places[places]
        if weights.ngrams is not None:
            before = [([NgramTables.NOTHING] * 2 + text.ids[:-1])[-2:] for text in self._active]
            x += weights.ngrams(numbers[:, None], torch.tensor(before))[:, 0]
        return x if weights.embedding_norm is None else weights.embedding_norm.of(x)
