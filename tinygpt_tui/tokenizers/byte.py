"""One byte, one id: 256 of them, and any text can be written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tinygpt_tui.tokenizers.char import Ids


class ByteTokenizer:
    """Knows all texts; a character outside ASCII is several ids."""

    name = "byte"
    size = 256
    end_of_text: int | None = None

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; half a surrogate pair has no bytes and is left out."""
        return list(text.encode("utf-8", "ignore"))

    def encoding(self, pieces: Iterable[str]) -> Iterator[Ids]:
        """Yield the ids of a text that comes in `pieces`."""
        for piece in pieces:
            yield np.frombuffer(piece.encode("utf-8", "ignore"), dtype=np.uint8)

    def bytes_of(self, id: int) -> bytes:
        """Return the one byte of an id."""
        return bytes((id,))

    def unknown_in(self, text: str) -> str:
        """Return the characters of `text` that have no id: halves of surrogate pairs alone."""
        return "".join(dict.fromkeys(character for character in text if "\ud800" <= character <= "\udfff"))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"name": self.name}
