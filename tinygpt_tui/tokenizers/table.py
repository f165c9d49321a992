"""The tokenizers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer

TOKENIZERS: dict[str, Callable[[dict[str, Any]], Tokenizer]] = {
    "char": CharTokenizer.from_dict,
}


def tokenizer_from(kept: dict[str, Any]) -> Tokenizer:
    """Make the tokenizer that its `to_dict` described. Raises CheckpointError."""
    name = kept.get("name")
    if not isinstance(name, str) or name not in TOKENIZERS:
        known = ", ".join(TOKENIZERS)
        raise CheckpointError(f"no tokenizer is called {name!r}", f"this version knows: {known}")
    return TOKENIZERS[name](kept)
