"""For a model with an unknown vocabulary: an id is written as its number, ‹17›."""

from __future__ import annotations

import re
from typing import Any

from tinygpt_tui.errors import CheckpointError

_MARK = re.compile("‹([0-9]{1,7})›")


class NumberTokenizer:
    """Shows what a model writes, though not what it means."""

    name = "numbers"
    end_of_text: int | None = None

    def __init__(self, size: int) -> None:
        """Raises CheckpointError where there would be no token."""
        if size < 1:
            raise CheckpointError("a vocabulary of no tokens", "the file is damaged")
        self.size = size

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> NumberTokenizer:
        """Make the tokenizer that `to_dict` described. Raises CheckpointError."""
        size = content.get("size")
        if type(size) is not int:
            raise CheckpointError("tokenizer.json has no size", "the file is damaged")
        return cls(size)

    def encode(self, text: str) -> list[int]:
        """Return the ids whose marks stand in `text`."""
        return [id for id in (int(found[1]) for found in _MARK.finditer(text)) if id < self.size]

    def bytes_of(self, id: int) -> bytes:
        return f"‹{id}›".encode()

    def unknown_in(self, text: str) -> str:
        """Return the characters of `text` outside the marks, each once, in order of appearance."""
        rest = _MARK.sub(lambda found: "" if int(found[1]) < self.size else found[0], text)
        return "".join(dict.fromkeys(rest))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "size": self.size}
