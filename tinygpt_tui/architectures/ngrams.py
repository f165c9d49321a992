"""n-gram tables: a learned vector for the last two tokens and a hashed one for the last three."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

Ids = TypeVar("Ids", int, Tensor)


class NgramTables(nn.Module):
    """Looks up what a counting model would know, and adds it to the token's embedding."""

    NOTHING = -1  # before the first token

    def __init__(self, vocab_size: int, rows: int, channels: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        # Two tokens (or nothing before them) have few pairs: no collisions while the table has a row for each.
        self.pair_rows = min((vocab_size + 1) ** 2, rows)
        self.triple_rows = rows
        self.pairs = nn.Embedding(self.pair_rows, channels)
        self.triples = nn.Embedding(self.triple_rows, channels)

    def forward(self, ids: Tensor, last_ids: Tensor | None = None) -> Tensor:
        """ids (B, T) -> (B, T, C); `last_ids` (B, 2) stand before `ids`, NOTHING where there is none."""
        if last_ids is None:
            last_ids = ids.new_full((ids.shape[0], 2), self.NOTHING)
        joined = torch.cat((last_ids, ids), dim=1) + 1  # nothing is 0
        pair, triple = self.rows(joined[:, :-2], joined[:, 1:-1], joined[:, 2:])
        mixed: Tensor = self.pairs(pair) + self.triples(triple)
        return mixed

    def rows(self, third: Ids, second: Ids, first: Ids) -> tuple[Ids, Ids]:
        """Return the rows of both tables for three neighbours, the newest `first`; all one higher, nothing is 0."""
        pair = second * (self.vocab_size + 1) + first
        # Multipliers are odd and far apart, so that neighbouring ids fall on distant rows.
        triple = (third * 0x9E3779B1 + second * 0x85EBCA77 + first * 0xC2B2AE3D) >> 7
        return pair % self.pair_rows, triple % self.triple_rows
