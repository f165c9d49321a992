"""A tokenizer with one token more than another: the boundary between two documents, where a text begins and ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import PIECE, PIECES_AT_ONCE, BPETokenizer, batched, pieces_of
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer

if TYPE_CHECKING:
    from tinygpt_tui.tokenizers.ids import Ids

BOUNDARY = "\x1e"  # ASCII's record separator: it ends each document in a text of several
SEPARATOR = "="  # between question and answer, in a text of pairs


class DocumentTokenizer:
    """Another tokenizer whose ids are one higher; id 0 is the boundary.

    It comes first, so that a vocabulary of characters can grow at its end. It writes nothing.
    """

    name = "documents"
    end_of_text: int | None = 0

    def __init__(self, inner: Tokenizer, marks: str = BOUNDARY) -> None:
        """Each of `marks`, characters that are in no document, is a token; the boundary is the first."""
        self.inner, self.marks, self.size = inner, marks, inner.size + len(marks)
        self._all_marks = re.compile(f"([{marks}])")
        self._inside = re.compile(f"([{marks[1:]}])" if marks[1:] else "(?!)")  # one text has no boundary in it
        self._ids = {mark: id for id, mark in enumerate(marks)}

    @classmethod
    def from_dict(cls, content: dict[str, Any], make: Callable[[dict[str, Any]], Tokenizer]) -> DocumentTokenizer:
        """Make the tokenizer that `to_dict` described; `make` makes the inner one. Raises CheckpointError."""
        return cls(inner_from(content, make))

    def around(self, inner: Tokenizer) -> DocumentTokenizer:
        return DocumentTokenizer(inner)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text` as the beginning of a document: the boundary is before it."""
        ids, first = [0], len(self.marks)
        for part in self._inside.split(text):
            ids += [self._ids[part]] if part in self._ids else [id + first for id in self.inner.encode(part)]
        return ids

    def encoding(self, pieces: Iterable[str]) -> Iterator[Ids]:
        """Yield the ids of a text that comes in `pieces`, in which each BOUNDARY ends a document."""
        if isinstance(self.inner, CharTokenizer):
            yield from CharTokenizer(self.marks + self.inner.characters).encoding(pieces)
            return
        if isinstance(self.inner, ByteTokenizer):
            yield from self.inner.encoding(pieces, self.marks)
            return
        import numpy as np

        from tinygpt_tui.tokenizers.ids import id_type

        for batch in batched(pieces_of(pieces, PIECE), PIECES_AT_ONCE):
            parts = [part for piece in batch for part in self._all_marks.split(piece) if part]
            yield np.array(list(self._ids_of(parts)), dtype=id_type(self.size))

    def _ids_of(self, parts: list[str]) -> Iterator[int]:
        """Yield the ids of the parts, each one mark or a text without any."""
        texts, first = [part for part in parts if part not in self._ids], len(self.marks)
        many = self.inner.encode_many(texts) if isinstance(self.inner, BPETokenizer) else map(self.inner.encode, texts)
        found = iter(many)
        for part in parts:
            if part in self._ids:
                yield self._ids[part]
            else:
                yield from (id + first for id in next(found))

    def bytes_of(self, id: int) -> bytes:
        """Return the UTF-8 bytes of one id; none for the boundary."""
        if id < len(self.marks):
            return self.marks[id].encode() if id else b""
        return self.inner.bytes_of(id - len(self.marks))

    def unknown_in(self, text: str) -> str:
        """Return the characters of `text` that have no id, each once, in order of appearance."""
        return self.inner.unknown_in(self._inside.sub("", text))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "inner": self.inner.to_dict()}


def inner_from(content: Mapping[str, Any], make: Callable[[dict[str, Any]], Tokenizer]) -> Tokenizer:
    """Return the tokenizer in the description of one with more tokens. Raises CheckpointError."""
    inner = content.get("inner")
    if not isinstance(inner, dict) or "inner" in inner:
        raise CheckpointError("tokenizer.json has no inner tokenizer", "the file is damaged")
    return make(inner)


def separator_of(tokenizer: Tokenizer) -> int | None:
    """Return the id of SEPARATOR where each token is one character; None if there is none."""
    if not is_of_characters(tokenizer) or tokenizer.unknown_in(SEPARATOR):
        return None
    return tokenizer.encode(SEPARATOR)[-1]


def is_of_characters(tokenizer: Tokenizer) -> bool:
    """Whether each token is one character of a text, or a mark between documents or turns."""
    return isinstance(tokenizer.inner if isinstance(tokenizer, DocumentTokenizer) else tokenizer, CharTokenizer)
