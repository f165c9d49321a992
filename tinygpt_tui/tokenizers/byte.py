"""One byte, one id: 256 of them, and any text can be written; with byte fallback, frequent characters have ids, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tinygpt_tui.errors import CheckpointError

if TYPE_CHECKING:
    from tinygpt_tui.tokenizers.ids import Ids

ASCII = 128  # characters that are one byte


class ByteTokenizer:
    """Knows all texts: a character outside ASCII is one id if it is one of the `characters`, else as many as bytes.

    Ids: the 256 bytes, then the characters.
    """

    name = "byte"
    size: int = 256
    end_of_text: int | None = None

    def __init__(self, characters: str = "") -> None:
        """Raises CheckpointError if one of the characters appears twice, has no bytes, or is in ASCII."""
        if len(set(characters)) != len(characters) or any(ord(one) < ASCII or _is_half(one) for one in characters):
            raise CheckpointError(
                "the vocabulary names a character twice, or one that is a byte", "the file is damaged"
            )
        self.characters = characters
        self.size = 256 + len(characters)
        self._ids = {character: 256 + place for place, character in enumerate(characters)}

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], fewest: int) -> ByteTokenizer:
        """Return the tokenizer with the characters of a text that occur `fewest` times or more."""
        return cls("".join(frequent(counts, fewest)))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> ByteTokenizer:
        """Make the tokenizer that `to_dict` described. Raises CheckpointError."""
        characters = content.get("characters", "")
        if not isinstance(characters, str):
            raise CheckpointError("tokenizer.json has no text under 'characters'", "the file is damaged")
        return cls(characters)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; half a surrogate pair has no bytes and is left out."""
        if not self.characters or text.isascii():
            return list(text.encode("utf-8", "ignore"))
        ids: list[int] = []
        for character in text:
            if (id := self._ids.get(character)) is not None:
                ids.append(id)
            else:
                ids += character.encode("utf-8", "ignore")
        return ids

    def encoding(self, pieces: Iterable[str], marks: str = "") -> Iterator[Ids]:
        """Yield the ids of a text that comes in `pieces`: what `encode` returns, fast.

        Each of `marks` is an id, too; they come before all others.
        """
        import numpy as np

        from tinygpt_tui.tokenizers.ids import LARGEST_CODE_POINT, code_points, id_type

        first, dtype = len(marks), id_type(self.size + len(marks))
        table = np.full(LARGEST_CODE_POINT + 1, -1, dtype=np.int32)
        table[:ASCII] = np.arange(first, ASCII + first)
        table[[ord(character) for character in self.characters]] = np.arange(256, self.size) + first
        table[[ord(mark) for mark in marks]] = np.arange(first)
        for codes in code_points(pieces):
            ids = table[codes]
            others = codes[ids < 0].astype("<u4")
            if len(others):
                length = np.ones(len(codes), dtype=np.int64)  # in ids
                length[ids < 0] = 2 + (others >= 0x800).astype(int) + (others >= 0x10000)
                ids = np.repeat(ids, length)
                ids[ids < 0] = np.frombuffer(others.tobytes().decode("utf-32-le").encode(), np.uint8) + np.int32(first)
            yield ids.astype(dtype)

    def bytes_of(self, id: int) -> bytes:
        """Return the UTF-8 bytes of an id: one, or those of a character."""
        return bytes((id,)) if id < 256 else self.characters[id - 256].encode()

    def unknown_in(self, text: str) -> str:
        """Return the characters of `text` that have no id: halves of surrogate pairs alone."""
        return "".join(dict.fromkeys(filter(_is_half, text)))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name} | ({"characters": self.characters} if self.characters else {})


def frequent(counts: Mapping[str, int], fewest: int) -> list[str]:
    """Return the characters outside ASCII, sorted, that occur `fewest` times or more."""
    return sorted(one for one, count in counts.items() if count >= fewest and ord(one) >= ASCII and not _is_half(one))


def _is_half(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"
