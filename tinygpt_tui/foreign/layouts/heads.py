"""What a program wrote down of its model's settings: with the weights, beside them, or in a pickled module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinygpt_tui.foreign.facts import FactSource
from tinygpt_tui.foreign.layouts.base import Findings, head_counts, number_in
from tinygpt_tui.foreign.layouts.module import attribute_of
from tinygpt_tui.foreign.readers.pickled import PickledObject
from tinygpt_tui.foreign.sidecars import read_json
from tinygpt_tui.foreign.source import Source

ENTRY = "model_args"  # nanoGPT's and llama2.c's; others are asked after it
HEADS = ("n_head", "n_heads", "num_heads", "num_attention_heads", "nhead")
CONFIG = "config.json"
MODEL_TYPES = {"gpt-mini": 6, "gpt-micro": 4, "gpt-nano": 3, "gpt2": 12, "gpt2-medium": 16, "gpt2-large": 20,
               "gpt2-xl": 25, "openai-gpt": 12, "gopher-44m": 16}  # fmt: skip


def find_heads(found: Findings, source: Source, typical: int = 64, why: str = "shapes do not tell it") -> None:
    """Tell the number of heads where anything tells it that divides the width; else ask."""
    width = found.values["n_embd"]
    for count, kind, where in _heads(source):
        if width % count == 0:
            found.known("n_head", count, kind, where)
            return
    found.unknown("n_head", head_counts(width, typical), why)


def _heads(source: Source) -> Iterator[tuple[int, FactSource, str]]:
    for name, entry in _entries(source):
        count = number_in(entry, *HEADS)
        if count:
            yield count, "file", name
    config = source.sidecar(CONFIG)
    if config is not None:
        told = read_json(config)
        inner = told.get("model")
        for entry in (inner if isinstance(inner, dict) else {}, told):
            count = number_in(entry, *HEADS) or MODEL_TYPES.get(str(entry.get("model_type")))
            if count:
                yield count, "sidecar", CONFIG
    count = attribute_of(source.module, "n_head")
    if count:
        yield count, "module", "attn"


def _entries(source: Source) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield what lay beside the weights and may hold settings: dicts, objects as what they held, and all of it."""
    extras = source.extras
    for name in sorted(extras, key=lambda name: name != ENTRY):
        value = extras[name]
        held = value.state if isinstance(value, PickledObject) else value
        if isinstance(held, dict):
            yield name, held
    yield "beside the weights", extras
