"""Which words of a short text a long one has."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import NamedTuple

BLOCK = 1 << 19  # characters at once
LONGEST = 100  # characters that a block is longer, so that it does not end in a word
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class KnownWords(NamedTuple):
    """How many words there are, how many of them are known, and those that are not, each once, in order."""

    words: int
    known: int
    unknown: tuple[str, ...]


def known_words(text: str, source: str, end: int | None = None) -> Generator[float, None, KnownWords]:
    """Yield the share of `source[:end]` that was read; return which words of `text` it has, in whatever case.

    Only as much is read as it takes to find all words.
    """
    words = WORD.findall(text)
    left, end = {word.casefold() for word in words}, len(source) if end is None else end
    start = 0
    while left and start < end:
        stop = min(end, start + BLOCK)
        while stop < min(end, start + BLOCK + LONGEST) and not source[stop].isspace():
            stop += 1
        left.difference_update(map(str.casefold, WORD.findall(source, start, stop)))
        start = stop
        yield start / end
    unknown = [word for word in words if word.casefold() in left]
    return KnownWords(len(words), len(words) - len(unknown), tuple(dict.fromkeys(unknown)))
