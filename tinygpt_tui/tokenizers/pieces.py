"""Llama's tokenizer: pieces of words with scores, joined best first; what has no piece is written byte by byte.

As sentencepiece's BPE and llama2.c do it: a text begins with a mark of its own and, if it is not empty, with a blank.
Blanks stay as they are; sentencepiece can also drop double ones. Source: Kudo and Richardson 2018.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tinygpt_tui.errors import CheckpointError

MOST_PIECES = 1 << 20
MOST_REMEMBERED = 50_000  # words
BYTE_PIECE = re.compile("<0x([0-9A-F]{2})>")
_WORD = re.compile(" *[^ ]+| +")


class PiecesTokenizer:
    """Knows pieces, a score each; `control` are ids that write nothing, `begin` of them comes before every text."""

    name = "pieces"

    def __init__(
        self,
        pieces: Sequence[str],
        scores: Sequence[float],
        control: Iterable[int],
        begin: int | None = None,
        blank_before: bool = True,
        end: int | None = None,
    ) -> None:
        """`end` ends a text; None: `begin` does, as in llama2.c's models. Raises CheckpointError for what cannot be."""
        self._control = frozenset(control)
        _check(pieces, scores, self._control, {begin, end} - {None})
        self.size, self._pieces, self._score_list = len(pieces), list(pieces), list(scores)
        self._begin, self._end = begin, end
        self.end_of_text = begin if end is None else end
        self._blank_before = blank_before
        self._bytes, self._ids, self._scores = list[bytes](), dict[str, int](), dict[str, float]()
        self._of_byte: dict[int, int] = {}
        for id, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
            byte = BYTE_PIECE.fullmatch(piece)
            if id in self._control:
                self._bytes.append(b"")
            elif byte:
                self._bytes.append(bytes([int(byte[1], 16)]))
                self._of_byte.setdefault(int(byte[1], 16), id)
            else:
                self._bytes.append(piece.encode("utf-8"))
                if piece not in self._ids:
                    self._ids[piece], self._scores[piece] = id, score
        # Pieces end where words do, in nearly all vocabularies: then each word is taken apart once.
        self._by_words = not any(" " in piece.lstrip(" ") for piece in self._ids)
        self._words: dict[str, list[int]] = {}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> PiecesTokenizer:
        """Make the tokenizer that `to_dict` described. Raises CheckpointError."""
        pieces, scores, control = (content.get(name) for name in ("pieces", "scores", "control"))
        begin, end, blank_before = content.get("begin"), content.get("end"), content.get("blank_before", True)
        if not isinstance(pieces, list) or not isinstance(scores, list) or not isinstance(control, list):
            raise CheckpointError("tokenizer.json has no pieces and scores", "the file is damaged")
        marks = [mark for mark in (begin, end) if mark is not None]
        if not all(type(id) is int and 0 <= id < len(pieces) for id in (*control, *marks)):
            raise CheckpointError("tokenizer.json has marks that are no ids", "the file is damaged")
        return cls(pieces, scores, control, begin, blank_before is True, end)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text` behind the mark of a beginning; what has neither piece nor bytes is left out."""
        ids = [] if self._begin is None else [self._begin]
        if text and self._blank_before:
            text = " " + text
        for word in _WORD.findall(text) if self._by_words else [text] if text else []:
            ids.extend(self._of_word(word))
        return ids

    def bytes_of(self, id: int) -> bytes:
        """Return the bytes of one id; they may be a part of a character, and of a mark none."""
        return self._bytes[id]

    def unknown_in(self, text: str) -> str:
        characters = dict.fromkeys(text)
        return "".join(one for one in characters if one not in self._ids and not self._in_bytes(one))

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pieces": self._pieces,
            "scores": self._score_list,
            "control": sorted(self._control),
            "begin": self._begin,
            "end": self._end,
            "blank_before": self._blank_before,
        }

    def _of_word(self, word: str) -> list[int]:
        known = self._words.get(word)
        if known is None:
            known = [id for part in self._joined(word) for id in self._of_part(part)]
            if len(self._words) < MOST_REMEMBERED and len(word) < 64:
                self._words[word] = known
        return known

    def _of_part(self, part: str) -> list[int]:
        return [self._ids[part]] if part in self._ids else self._in_bytes(part)

    def _in_bytes(self, character: str) -> list[int]:
        """Return the ids of a character's bytes; nothing where one of them has no id."""
        ids = [self._of_byte.get(byte) for byte in character.encode("utf-8", "surrogatepass")]
        if "\ud800" <= character <= "\udfff" or None in ids:
            return []
        return [id for id in ids if id is not None]

    def _joined(self, word: str) -> list[str]:
        """Join neighbours while they make a piece: the best piece first, of equal ones the leftmost."""
        parts: list[str | None] = list(word)
        count = len(parts)
        after, before = list(range(1, count + 1)), list(range(-1, count - 1))
        waiting: list[tuple[float, int, int, str]] = []

        def consider(left: int) -> None:
            right = after[left]
            if right < count:
                joined = f"{parts[left]}{parts[right]}"
                score = self._scores.get(joined)
                if score is not None:
                    heapq.heappush(waiting, (-score, left, right, joined))

        for place in range(count):
            consider(place)
        while waiting:
            _, left, right, joined = heapq.heappop(waiting)
            if parts[left] is None or after[left] != right or f"{parts[left]}{parts[right]}" != joined:
                continue  # one of the two has been joined to another meanwhile
            parts[left], parts[right] = joined, None
            after[left] = after[right]
            if after[left] < count:
                before[after[left]] = left
            consider(left)
            if before[left] >= 0:
                consider(before[left])
        return [part for part in parts if part is not None]


def _check(pieces: Sequence[Any], scores: Sequence[Any], control: frozenset[int], marks: Iterable[int | None]) -> None:
    if not 0 < len(pieces) <= MOST_PIECES or len(scores) != len(pieces):
        raise CheckpointError(f"a vocabulary of {len(pieces):,} pieces cannot be", "the file is damaged")
    if not all(isinstance(piece, str) and _encodable(piece) for piece in pieces):
        raise CheckpointError("the vocabulary has a piece that is no text", "the file is damaged")
    if not all(type(score) in (int, float) and math.isfinite(score) for score in scores):
        raise CheckpointError("the vocabulary has a score that is no number", "the file is damaged")
    if not all(0 <= id < len(pieces) for id in control) or not control.issuperset(marks):
        raise CheckpointError("the vocabulary marks an id that is not there", "the file is damaged")


def _encodable(piece: str) -> bool:
    try:
        piece.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
