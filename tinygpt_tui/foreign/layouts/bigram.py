"""The lecture's first model: one table of (V, V), nothing else."""

from __future__ import annotations

from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch
from tinygpt_tui.foreign.layouts.lecture import TOKENS
from tinygpt_tui.foreign.rename import Table, To, place
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import BigramSettings

TABLE: Table = {name: To("table.weight") for name in TOKENS}


class BigramTable:
    """One table."""

    name, title = "bigram", "the lecture's bigram table"

    def recognises(self, source: Source) -> bool:
        """See Layout."""
        if len(source.tensors) != 1 or not any(source.has(name) for name in TOKENS):
            return False
        shape = next(iter(source.tensors.values())).shape
        return len(shape) == 2 and shape[0] == shape[1] > 0

    def match(self, source: Source) -> LayoutMatch:
        """See Layout."""
        placed = place(source.tensors, TABLE, "a bigram model")
        found = Findings()
        found.known("vocab_size", next(iter(source.tensors.values())).shape[0], "tensor", "the table")
        return LayoutMatch(BigramSettings(vocab_size=found.values["vocab_size"]), tuple(found.facts), placed)
