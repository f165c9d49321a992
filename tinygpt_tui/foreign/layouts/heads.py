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
HEADS = ("n_head", "n_heads", "num_heads", "num_attention_heads", "nhead", "nheads", "heads", "n_attn_heads",
         "num_attn_heads", "n_attention_heads", "attention_heads")  # fmt: skip
WINDOWS = ("block_size", "context_length", "context_size", "context_len", "ctx_len", "max_seq_len", "seq_len",
           "max_len", "n_ctx", "n_positions", "max_position_embeddings", "sequence_length",
           "max_seq_length", "context_window", "window_size")  # fmt: skip
CONFIG = "config.json"
MODEL_TYPES = {"gpt-mini": 6, "gpt-micro": 4, "gpt-nano": 3, "gpt2": 12, "gpt2-medium": 16, "gpt2-large": 20,
               "gpt2-xl": 25, "openai-gpt": 12, "gopher-44m": 16}  # fmt: skip


def find_heads(
    found: Findings,
    source: Source,
    typical: int = 0,
    why: str = "shapes do not tell it",
    width: int = 0,
    kv_width: int = 0,
) -> None:
    """Tell the number of heads where anything tells it that divides the width (n_embd by default); else ask.

    `kv_width` is that of keys and values where several heads of queries share them.
    """
    width = width or found.values["n_embd"]
    kv_width = kv_width or width

    def fits(count: int) -> bool:
        return width % count == 0 and kv_width * count % width == 0

    for count, kind, where in numbers_told(source, HEADS):
        if fits(count):
            found.known("n_head", count, kind, where)
            return
    found.unknown("n_head", [count for count in head_counts(width, typical) if fits(count)] or [1], why)


def numbers_told(source: Source, names: tuple[str, ...]) -> Iterator[tuple[int, FactSource, str]]:
    """Yield what anything tells under one of these names: beside the weights, in config.json, in a pickled module."""
    for place, entry in _entries(source):
        count = number_in(entry, *names)
        if count:
            yield count, "file", place
    config = source.sidecar(CONFIG)
    if config is not None:
        told = read_json(config)
        inner = told.get("model")
        for entry in (inner if isinstance(inner, dict) else {}, told):
            count = number_in(entry, *names)
            if not count and names is HEADS:
                count = MODEL_TYPES.get(str(entry.get("model_type")))
            if count:
                yield count, "sidecar", CONFIG
    for name in names:
        count = attribute_of(source.module, name)
        if count:
            yield count, "module", name


def _entries(source: Source) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield what lay beside the weights and may hold settings: dicts, objects as what they held, and all of it."""
    extras = source.extras
    for name in sorted(extras, key=lambda name: name != ENTRY):
        value = extras[name]
        held = value.state if isinstance(value, PickledObject) else value
        if isinstance(held, dict):
            yield name, held
    yield "beside the weights", extras
