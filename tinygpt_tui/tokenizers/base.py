"""The contract of every tokenizer."""

from __future__ import annotations

from typing import Any, Protocol


class Tokenizer(Protocol):
    """Text to ids and back; what it does not know is left out by `encode` and named by `unknown_in`.

    `end_of_text` is the id by which a model says that a text ends; None where there is none.
    """

    name: str
    size: int
    end_of_text: int | None

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; what has no id is left out."""
        ...

    def bytes_of(self, id: int) -> bytes:
        """Return the UTF-8 bytes of one id; they may be a part of a character."""
        ...

    def unknown_in(self, text: str) -> str:
        """Return the characters of `text` that have no id, each once, in order of appearance."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs to make this tokenizer again; plain JSON data."""
        ...
