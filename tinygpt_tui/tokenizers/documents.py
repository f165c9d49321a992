"""A tokenizer with one token more than another: the boundary between two documents, where a text begins and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import PIECE, PIECES_AT_ONCE, BPETokenizer, batched, pieces_of
from tinygpt_tui.tokenizers.char import CharTokenizer, Ids, id_type

BOUNDARY = "\x1e"  # ASCII's record separator: it ends each document in a text of several


class DocumentTokenizer:
    """Another tokenizer whose ids are one higher; id 0 is the boundary.

    It comes first, so that a vocabulary of characters can grow at its end. It writes nothing.
    """

    name = "documents"
    end_of_text: int | None = 0

    def __init__(self, inner: Tokenizer) -> None:
        self.inner, self.size = inner, inner.size + 1

    @classmethod
    def from_dict(cls, content: dict[str, Any], make: Callable[[dict[str, Any]], Tokenizer]) -> DocumentTokenizer:
        """Make the tokenizer that `to_dict` described; `make` makes the inner one. Raises CheckpointError."""
        inner = content.get("inner")
        if not isinstance(inner, dict) or inner.get("name") == cls.name:
            raise CheckpointError("tokenizer.json has no inner tokenizer", "the file is damaged")
        return cls(make(inner))

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text` as the beginning of a document: the boundary is before it."""
        return [0, *(id + 1 for id in self.inner.encode(text))]

    def encoding(self, pieces: Iterable[str]) -> Iterator[Ids]:
        """Yield the ids of a text that comes in `pieces`, in which each BOUNDARY ends a document."""
        if isinstance(self.inner, CharTokenizer):
            yield from CharTokenizer(BOUNDARY + self.inner.characters).encoding(pieces)
            return
        for batch in batched(pieces_of(pieces, PIECE), PIECES_AT_ONCE):
            parts = [part for piece in batch for part in (*piece.split(BOUNDARY), None)]
            yield np.array([id + 1 for id in self._inner_ids(parts)], dtype=id_type(self.size))

    def _inner_ids(self, parts: list[str | None]) -> Iterator[int]:
        """Yield the inner tokenizer's ids of the parts; -1 between two of them, unless there is a None."""
        whole = [part for part in parts if part]
        many = self.inner.encode_many(whole) if isinstance(self.inner, BPETokenizer) else map(self.inner.encode, whole)
        found = iter(many)
        for part, after in pairwise(parts):
            if part:
                yield from next(found)
            if part is not None and after is not None:
                yield -1

    def bytes_of(self, id: int) -> bytes:
        """Return the UTF-8 bytes of one id; none for the boundary."""
        return self.inner.bytes_of(id - 1) if id else b""

    def unknown_in(self, text: str) -> str:
        """Return the characters of `text` that have no id, each once, in order of appearance."""
        return self.inner.unknown_in(text)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data for `from_dict`."""
        return {"name": self.name, "inner": self.inner.to_dict()}


def is_of_characters(tokenizer: Tokenizer) -> bool:
    """Whether each token is one character of a text, or the end of a document."""
    return isinstance(tokenizer.inner if isinstance(tokenizer, DocumentTokenizer) else tokenizer, CharTokenizer)
