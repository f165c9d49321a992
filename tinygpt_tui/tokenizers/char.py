"""One character, one id: the vocabulary is the sorted set of a text's characters."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError

LARGEST_CODE_POINT = 0x10FFFF
R = TypeVar("R")
CHARACTERS_AT_ONCE = 1 << 20  # a large text in UTF-32 would take four times its size, and eight times as int64


Ids = NDArray[np.integer[Any]]  # one, two or four bytes each, as few as the vocabulary permits


class CharTokenizer:
    """Knows the characters it was made from, and no others."""

    name = "char"
    end_of_text: int | None = None  # every id is a character

    def __init__(self, characters: str) -> None:
        """`characters` in the order of their ids, each once. Raises CheckpointError if one appears twice."""
        if len(set(characters)) != len(characters) or not characters:
            raise CheckpointError("the vocabulary names a character twice, or none at all", "the file is damaged")
        self.characters = characters
        self.size = len(characters)
        self._ids = {character: id for id, character in enumerate(characters)}
        self._bytes = [character.encode("utf-8") for character in characters]

    @classmethod
    def of(cls, text: str) -> CharTokenizer:
        """Return the tokenizer that knows exactly the characters of `text`."""
        return cls.of_counts(exhausted(counting(text)))

    @classmethod
    def of_counts(cls, counts: Mapping[str, int]) -> CharTokenizer:
        """Return the tokenizer that knows exactly the characters that were counted."""
        return cls("".join(sorted(counts)))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> CharTokenizer:
        """Make the tokenizer that `to_dict` described. Raises CheckpointError."""
        characters = content.get("characters")
        if not isinstance(characters, str):
            raise CheckpointError("tokenizer.json has no text under 'characters'", "the file is damaged")
        try:
            return cls(characters)
        except UnicodeEncodeError:  # JSON can write half a character, UTF-8 cannot
            raise CheckpointError(
                "tokenizer.json has half a character under 'characters'", "the file is damaged"
            ) from None

    def extended(self, text: str) -> CharTokenizer:
        """Return a tokenizer that knows the characters of `text` too; the old ones keep their ids."""
        new = "".join(sorted(set(self.unknown_in(text))))
        return CharTokenizer(self.characters + new) if new else self

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; characters without an id are left out."""
        ids = self._ids
        return [ids[character] for character in text if character in ids]

    def encoding(self, text: str) -> Generator[float, None, Ids]:
        """Yield the share of `text` that is encoded, again and again; return what `encode` does, in an array.

        The array (characters,) has one or two bytes for each id, and is made 30 times as fast.
        """
        unknown = self.size  # one id more than there are
        table = np.full(LARGEST_CODE_POINT + 1, unknown, dtype=np.min_scalar_type(unknown))
        table[[ord(character) for character in self.characters]] = np.arange(self.size)
        ids = np.empty(len(text), dtype=id_type(self.size))
        count = 0
        for done, codes in _code_points(text):
            part = table[codes]
            known = part[part != unknown]
            ids[count : count + len(known)] = known
            count += len(known)
            yield done
        return ids if count == len(ids) else ids[:count].copy()

    def bytes_of(self, id: int) -> bytes:
        """Return the UTF-8 bytes of one id; always a whole character here."""
        return self._bytes[id]

    def unknown_in(self, text: str) -> str:
        """Return the characters of `text` that have no id, each once, in order of appearance."""
        return "".join(dict.fromkeys(character for character in text if character not in self._ids))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data for `from_dict`."""
        return {"name": self.name, "characters": self.characters}


def id_type(size: int) -> np.dtype[Any]:
    """Return the smallest type of number that holds the ids of a vocabulary."""
    return np.dtype(np.min_scalar_type(max(0, size - 1)))


def counting(text: str) -> Generator[float, None, dict[str, int]]:
    """Yield the share of `text` that is counted, again and again; return how often each character occurs."""
    totals = np.zeros(0, dtype=np.int64)
    for done, codes in _code_points(text):
        counts = np.bincount(codes)
        if len(counts) > len(totals):
            totals, counts = counts, totals
        totals[: len(counts)] += counts
        yield done
    return {chr(code): int(totals[code]) for code in np.flatnonzero(totals)}


def exhausted(steps: Generator[float, None, R]) -> R:
    """Return what a generator of progress returns at its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _code_points(text: str) -> Iterator[tuple[float, NDArray[np.uint32]]]:
    """Yield the code points of `text` piece by piece, with the share that is done then."""
    for start in range(0, len(text), CHARACTERS_AT_ONCE):
        part = text[start : start + CHARACTERS_AT_ONCE]
        yield (start + len(part)) / len(text), np.frombuffer(part.encode("utf-32-le"), dtype=np.uint32)
