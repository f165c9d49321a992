"""A tokenizer for a model whose vocabulary was made rounder than its tokenizer's: the ids behind it write nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.tokenizers.base import Tokenizer


class PaddedTokenizer:
    """Another tokenizer, and ids that stand for no text."""

    name = "padded"

    def __init__(self, inner: Tokenizer, size: int) -> None:
        """`size` counts the ids that write nothing too. Raises CheckpointError where it is too small."""
        if size < inner.size:
            raise CheckpointError(f"a tokenizer of {inner.size} tokens for a model of {size}", "the files do not fit")
        self.inner, self.size, self.end_of_text = inner, size, inner.end_of_text

    @classmethod
    def from_dict(cls, content: dict[str, Any], make: Callable[[dict[str, Any]], Tokenizer]) -> PaddedTokenizer:
        """Make the tokenizer that `to_dict` described; `make` makes the inner one. Raises CheckpointError."""
        size, inner = content.get("size"), content.get("inner")
        if type(size) is not int or not isinstance(inner, dict) or inner.get("name") == cls.name:
            raise CheckpointError("tokenizer.json has no size and inner tokenizer", "the file is damaged")
        return cls(make(inner), size)

    def encode(self, text: str) -> list[int]:
        return self.inner.encode(text)

    def bytes_of(self, id: int) -> bytes:
        """Return the UTF-8 bytes of one id; none for one that stands for nothing."""
        return self.inner.bytes_of(id) if id < self.inner.size else b""

    def unknown_in(self, text: str) -> str:
        return self.inner.unknown_in(text)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "size": self.size, "inner": self.inner.to_dict()}
