"""Layouts that are known by name and not opened, each with what would be needed."""

from __future__ import annotations

from collections.abc import Callable

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import LayoutMatch
from tinygpt_tui.foreign.source import Source


class Refused:
    """Recognised, so that the user need not wonder; not built here."""

    def __init__(self, name: str, title: str, needed: str, knows: Callable[[Source], bool]) -> None:
        self.name, self.title, self._needed, self._knows = name, title, needed, knows

    def recognises(self, source: Source) -> bool:
        """See Layout."""
        return self._knows(source)

    def match(self, source: Source) -> LayoutMatch:
        """Raise CheckpointError."""
        raise CheckpointError(f"{source.name} is {self.title}, which is not opened here", f"it wants {self._needed}")


NANOCHAT = Refused(
    "nanochat",
    "a model of nanochat",
    "value embeddings, a learned weight for each block's stream, a cap on the logits and its own tokenizer",
    lambda source: (
        source.has("transformer.wte.weight", "transformer.h.0.attn.c_q.weight")
        and not source.has("transformer.wpe.weight")
    ),
)
LITGPT = Refused(
    "litgpt",
    "a model of litgpt",
    "its queries, keys and values, which are interleaved by groups; convert it there: litgpt convert_from_litgpt",
    lambda source: source.has("transformer.wte.weight")
    and not source.has("transformer.wpe.weight")
    and ("transformer.h.0.attn.qkv.weight" in source.tensors or "transformer.h.0.attn.attn.weight" in source.tensors
         or "transformer.h.0.norm_1.weight" in source.tensors),
)  # fmt: skip
