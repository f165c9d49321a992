"""A tokenizer with one token more than another: the boundary between two documents, where a text begins and ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import PIECE, BPETokenizer, pieces_of
from tinygpt_tui.tokenizers.char import CharTokenizer, Ids, id_type

BOUNDARY = "\x1e"  # ASCII's record separator: it ends each document in a text of several
AT_ONCE = 4096  # documents


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

    def encoding(self, text: str) -> Generator[float, None, Ids]:
        """Yield the share that is encoded; return the ids of a text in which each BOUNDARY ends a document."""
        if isinstance(self.inner, CharTokenizer):
            return (yield from CharTokenizer(BOUNDARY + self.inner.characters).encoding(text))
        dtype, done = id_type(self.size), 0
        parts = [np.empty(0, dtype=dtype)]
        for documents in _batches(text):
            parts += [np.array(ids, dtype=dtype) for ids in self._ids_of(documents)]
            done += sum(map(len, documents)) + len(documents)
            yield min(1.0, done / len(text))
        return np.concatenate(parts)

    def _ids_of(self, documents: list[str]) -> Iterator[list[int]]:
        """Yield the ids of the documents, piece by piece; a BOUNDARY at a document's end is its last character."""
        pieces = [piece for one in documents for piece in (*pieces_of(one.rstrip(BOUNDARY), PIECE), None)]
        whole = [piece for piece in pieces if piece is not None]
        many = self.inner.encode_many(whole) if isinstance(self.inner, BPETokenizer) else map(self.inner.encode, whole)
        found, ends = iter(many), iter([one.endswith(BOUNDARY) for one in documents])
        for piece in pieces:
            if piece is not None:
                yield [id + 1 for id in next(found)]
            elif next(ends):
                yield [0]

    def bytes_of(self, id: int) -> bytes:
        """Return the UTF-8 bytes of one id; none for the boundary."""
        return self.inner.bytes_of(id - 1) if id else b""

    def unknown_in(self, text: str) -> str:
        """Return the characters of `text` that have no id, each once, in order of appearance."""
        return self.inner.unknown_in(text)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data for `from_dict`."""
        return {"name": self.name, "inner": self.inner.to_dict()}


def _batches(text: str) -> Iterator[list[str]]:
    """Yield the documents of `text`, each with the BOUNDARY at its end, some thousands or a piece at a time."""
    batch: list[str] = []
    start = held = 0
    while start < len(text):
        end = text.find(BOUNDARY, start) + 1 or len(text)
        batch.append(text[start:end])
        held, start = held + end - start, end
        if held >= PIECE * 16 or len(batch) >= AT_ONCE:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def is_of_characters(tokenizer: Tokenizer) -> bool:
    """Whether each token is one character of a text, or the end of a document."""
    return isinstance(tokenizer.inner if isinstance(tokenizer, DocumentTokenizer) else tokenizer, CharTokenizer)


def document_cut(text: str, place: int) -> int:
    """Return the end of the document that ends nearest before `place` in `text`, else of the first; 0 without any."""
    return text.rfind(BOUNDARY, 0, place) + 1 or text.find(BOUNDARY) + 1
