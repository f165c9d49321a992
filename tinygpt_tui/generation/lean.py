"""One text, id by id, through a GPT on the CPU: plain tensors, and every view of the memory made only once.

A tiny net's matrices take a few microseconds each, and so does whatever torch does around them. What a step leaves out
therefore counts as much as what it computes: queries, keys and values are written straight into the memory's next row,
scores and activations into tensors that wait for them.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.architectures.extras import NgramTables
from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.lean_crop import Crop
from tinygpt_tui.generation.lean_rows import Reading, activate_, pairs_of, read, read_long, transposed, with_shares
from tinygpt_tui.generation.lean_weights import LeanLayer, LeanWeights
from tinygpt_tui.settings.windows import Policy, kept_after, policy_for

KEPT_PLACES = 1 << 14  # about 3 kB each; a net with more of them works so long that making them anew is nothing


class Place(NamedTuple):
    """One layer's memory as a step at one position sees it; n positions can be seen from there."""

    row: Tensor  # (1, 3C): where the new query, key and value go
    both: Tensor  # (2H, D): the query and the key in it
    pairs: Tensor | None  # (2H, D/2) complex: the same, to be turned
    query: Tensor  # (H, 1, D)
    keys: Tensor  # (H, D, n)
    values: Tensor  # (H, n, D)


class LeanEngine:
    """An Engine for a GPT on the CPU."""

    def __init__(self, weights: LeanWeights, policy: Policy) -> None:
        """Raises UsageError for `rolling` where the model's attention does not slide."""
        settings = weights.settings
        C, H, T = settings.n_embd, settings.n_head, settings.block_size
        self._weights, self._policy, self._size = weights, policy_for(policy, settings), T
        self._slides = policy == "rolling"
        self._turned = settings.positions == "rotary"
        self._memory = torch.empty(settings.n_layer, T, 3 * C)
        self._places: list[tuple[Tensor, list[Place]] | None] = [None] * (2 * T)
        self._keeps_places = settings.n_layer * T <= KEPT_PLACES
        self._turns: list[Tensor] = []
        self._turns_start = 0
        self._mixed = torch.empty(H, 1, settings.head_size)
        self._mixed_row = self._mixed.view(1, C)
        self._hidden = torch.empty(1, 4 * C)
        self._hidden_turned = transposed(self._hidden)
        self._ids: list[int] = []  # what the last logits were computed from; under rolling the last block_size at least
        self._length = 0  # positions in the text; under rolling there is no end to them
        # For each layer and each of its shifts, the rows (1, C) that it looks back at, the nearest first.
        self._tails: list[list[list[Tensor]]] = []
        self._crop: Crop | None = None

    @property
    def context_used(self) -> int:
        """How many tokens the last logits were computed from; under rolling, how many each token attends to."""
        return min(self._length, self._size)

    @property
    def window(self) -> Policy:
        """What happens when the window is full."""
        return self._policy

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Begin a new text; see Engine. Raises UsageError for an id that the model does not know, and for no id."""
        if not len(ids):
            raise UsageError("a text begins with at least one token")
        keeps = self._weights.settings.receptive_field if self._slides else self._size
        before = max(0, len(ids) - keeps) if self._slides else 0
        return self._begin([self._checked(id) for id in ids[-keeps:]], before)

    def step(self, id: int) -> NDArray[np.float32]:
        """Add one id; see Engine. Raises UsageError for an id that the model does not know, and before `prefill`."""
        id, length = self._checked(id), self._length
        if not length:
            raise UsageError("a text begins with `prefill`")
        if length >= self._size and not self._slides:
            kept = kept_after(self._policy, self._size)
            return self._begin([*self._ids[len(self._ids) - kept :], id], 0)
        with torch.inference_mode():
            logits = self._step(id, length)
        self._length = length + 1
        self._ids.append(id)
        if len(self._ids) > 2 * self._size + 2:  # only an endless text comes to that
            del self._ids[: self._size]
        answer: NDArray[np.float32] = logits.numpy()[0]
        return answer

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the logits (T, V) after each of `ids`; see Engine. Raises UsageError where they cannot be read."""
        if not 1 <= len(ids) <= self._size:
            raise UsageError(f"{len(ids)} tokens cannot be read at once", f"give 1 to {self._size} of them")
        numbers = torch.tensor([[self._checked(id) for id in ids]])
        self._length = 0
        with torch.inference_mode():
            logits = read(self._weights, numbers, rows=len(ids)).logits
        answer: NDArray[np.float32] = logits.numpy()[0]
        return answer

    def _checked(self, id: int) -> int:
        number = operator.index(id)
        if not 0 <= number < self._weights.settings.vocab_size:
            raise UsageError(f"token {number} is not one of the model's {self._weights.settings.vocab_size}")
        return number

    def _begin(self, ids: list[int], before: int) -> NDArray[np.float32]:
        """Read `ids` from an empty memory; the first of them stands at position `before`."""
        with torch.inference_mode():
            if self._policy == "exact" and len(ids) == self._size:
                logits = self._cropped(ids)  # no step will come back to it
            else:
                reading = (
                    read_long(self._weights, ids, before) if self._slides else read(self._weights, torch.tensor([ids]))
                )
                self._remember(reading, before + len(ids))
                logits = reading.logits[0]
        self._ids, self._length = ids, before + len(ids)
        answer: NDArray[np.float32] = logits.numpy()[0]
        return answer

    def _cropped(self, ids: list[int]) -> Tensor:
        self._crop = self._crop or Crop(self._weights)
        return self._crop.read(ids)

    def _remember(self, reading: Reading, length: int) -> None:
        """Put what a text of `length` ids left behind where the steps will look for it."""
        for layer, qkv in enumerate(reading.qkv):
            rows = qkv[0]
            first = (length - len(rows)) % self._size
            fits = min(len(rows), self._size - first)
            self._memory[layer, first : first + fits] = rows[:fits]
            self._memory[layer, : len(rows) - fits] = rows[fits:]
        # Of each shift, the nearest row first.
        self._tails = [[list(tail[0].flip(0).unsqueeze(1)) for tail in pair] for pair in reading.tails]

    def _step(self, id: int, position: int) -> Tensor:
        """Return logits (1, V) after `id` at `position`, of which all before are in the memory."""
        weights = self._weights
        scores, places = self._places_at(position)
        turn = self._turn(position) if self._turned else None
        x = self._embedded(id, position)
        shifts = bool(weights.settings.token_shift)
        norm_qk, mixed, mixed_row = weights.qk_norm, self._mixed, self._mixed_row
        for number, (layer, place) in enumerate(zip(weights.layers, places, strict=True)):
            h = layer.norm_1.of(x)
            if shifts:
                h = with_shares(h, layer.shares_1, self._tails[number][0])
            if layer.qkv_bias is None:
                torch.mm(h, layer.qkv, out=place.row)
            else:
                torch.addmm(layer.qkv_bias, h, layer.qkv, out=place.row)
            if norm_qk is not None:
                normed = norm_qk.of(place.both)
                if turn is None:
                    place.both.copy_(normed)
                else:
                    torch.mul(pairs_of(normed), turn, out=place.pairs)
            elif turn is not None:
                place.pairs.mul_(turn)  # type: ignore[union-attr]
            torch.bmm(place.query, place.keys, out=scores)
            torch.softmax(scores, 2, out=scores)
            torch.bmm(scores, place.values, out=mixed)
            x.addmm_(mixed_row, layer.proj)
            if layer.proj_bias is not None:
                x.add_(layer.proj_bias)
            h = layer.norm_2.of(x)
            if shifts:
                h = with_shares(h, layer.shares_2, self._tails[number][1])
            self._think(x, h, layer)
        h = weights.norm.of(x)
        if weights.head_bias is None:
            return torch.mm(h, weights.head)
        return torch.addmm(weights.head_bias, h, weights.head)

    def _think(self, x: Tensor, h: Tensor, layer: LeanLayer) -> None:
        """Add what the MLP makes of `h` (1, C) to `x` (1, C)."""
        hidden = self._hidden
        if layer.fc_bias is None:
            torch.mm(h, layer.fc, out=hidden)
        else:
            torch.addmm(layer.fc_bias, h, layer.fc, out=hidden)
        activate_(hidden, self._weights.settings.activation, self._hidden_turned)
        x.addmm_(hidden, layer.down)
        if layer.down_bias is not None:
            x.add_(layer.down_bias)

    def _embedded(self, id: int, position: int) -> Tensor:
        """Return the stream's beginning (1, C), the step's own to write on."""
        weights = self._weights
        x = weights.tokens[id : id + 1]
        if weights.places is not None:
            x = x + weights.places[position : position + 1]
        if weights.ngrams is not None:
            third, second = self._last_two()
            pair, triple = weights.ngrams.rows(third + 1, second + 1, id + 1)
            x = x + weights.ngrams.pairs.weight[pair] + weights.ngrams.triples.weight[triple]
        if weights.embedding_norm is not None:
            return weights.embedding_norm.of(x)
        return x.clone() if weights.places is None and weights.ngrams is None else x

    def _last_two(self) -> tuple[int, int]:
        return self._ids[-2] if len(self._ids) > 1 else NgramTables.NOTHING, self._ids[-1]

    def _turn(self, position: int) -> Tensor:
        """Return the rotation (1, D/2) of `position`; a block of them is worked out at a time."""
        start = position - position % self._size
        if not self._turns or start != self._turns_start:
            self._turns_start = start
            self._turns = list(self._weights.turns(start, self._size).unsqueeze(1))
        return self._turns[position - start]

    def _places_at(self, position: int) -> tuple[Tensor, list[Place]]:
        """Return a tensor for the scores (H, 1, n) and each layer's Place.

        Positions of an endless text share the memory's rows in turn: the new one takes the place of the one that can
        no longer be seen. Attention does not ask in which order keys lie.
        """
        size = self._size
        slot = position if position < size else size + position % size
        places = self._places[slot]
        if places is None:
            places = self._make_places(position % size, min(position + 1, size))
            if self._keeps_places:
                self._places[slot] = places
        return places

    def _make_places(self, row: int, seen: int) -> tuple[Tensor, list[Place]]:
        settings = self._weights.settings
        C, H, D = settings.n_embd, settings.n_head, settings.head_size
        width, memory = 3 * C, self._memory
        places = []
        for layer in range(settings.n_layer):
            first = layer * self._size * width
            here = first + row * width
            both = memory.as_strided((2 * H, D), (D, 1), here)
            places.append(
                Place(
                    row=memory.as_strided((1, width), (width, 1), here),
                    both=both,
                    pairs=pairs_of(both) if self._turned else None,
                    query=memory.as_strided((H, 1, D), (D, D, 1), here),
                    keys=memory.as_strided((H, D, seen), (D, 1, width), first + C),
                    values=memory.as_strided((H, seen, D), (D, width, 1), first + 2 * C),
                )
            )
        return torch.empty(H, 1, seen), places
