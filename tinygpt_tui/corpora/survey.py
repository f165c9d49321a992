"""What a text is made of, before a model trains on it: documents, copies, scripts, and what is hardly meant to be read.

Characters and documents are counted in the whole text. Of a large one only pieces that are spread evenly over it are
examined closely, SAMPLE characters in all. Copies are found by the hashes of documents: where there are very many, by a
share of all hashes, so that either all copies of a document are seen or none, and the number is an estimate.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from tinygpt_tui.corpora.cache import key_of, read_cached, save_cached
from tinygpt_tui.corpora.corpus import AT_ONCE, CorpusText, cut
from tinygpt_tui.corpora.near_copies import MOST_CHARACTERS, SHORTEST, Signatures, near_copies, signatures
from tinygpt_tui.corpora.personal import Kind, found_in
from tinygpt_tui.tokenizers.documents import BOUNDARY

SAMPLE = 32 << 20  # characters that are examined closely
MOST_HASHES = 1 << 18
MOST_COMPARED = 1 << 17  # units, for near copies
COMPARED = 1 << 14  # characters of each
PARAGRAPH = "\n\n"  # ends the units of a text that is one document
SHOWN = 40  # characters of what is found
MARKUP = re.compile(
    r"</?[A-Za-z][A-Za-z0-9]{0,15}(?: [^<>\n]{0,200})?/?>|\[\[[^\[\]\n]{1,100}\]\]|\{\{[^{}\n]{1,100}\}\}"
)
COPYING_SHARE = 0.95  # of the time


class Spot(msgspec.Struct, frozen=True):
    """How many there are of something, and the first one: its place, in characters from the start, and its text."""

    count: int = 0
    place: int = 0
    text: str = ""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; units are documents or, in a text that is one document, its paragraphs except the short ones."""

    characters: int
    different: int
    documents: int  # 0: it is one text
    validation_documents: int = 0
    scripts: dict[str, float] = {}  # the share (0 to 1) of the letters, the largest first
    examined: float = 1.0  # the share of the text that was examined closely
    estimated: bool = False  # whether the numbers of copies are estimates
    compared: int = 0  # units, for near copies
    copies: Spot = Spot()  # units that an earlier one is, word for word
    near_copies: Spot = Spot()  # units that an earlier one nearly is
    in_both: Spot = Spot()  # units of the validation part that are in the training part, too
    near_in_both: Spot = Spot()
    longest_line: Spot = Spot()  # `count` is its length
    markup: Spot = Spot()
    json_lines: Spot = Spot()
    lines: int = 0  # that were examined closely
    addresses: Spot = Spot()
    keys: Spot = Spot()


class Unit(NamedTuple):
    """A document, or a paragraph of a text that is one; of one that is very long, a part."""

    place: int  # of its first character in the text
    text: str


def surveying(text: CorpusText, validation_share: float) -> Generator[float, None, Survey]:
    """Yield the share that is done; return what was found in a text, split as a run splits it. Raises CorpusError.

    What was found in a large text is saved for the next time.
    """
    name = f"{key_of(text.key, 'survey', validation_share)}.survey" if text.key else ""
    found = read_cached(name, Survey) if name else None
    if found is None:
        found = yield from _surveyed(text, validation_share)
        if name:
            save_cached(name, found)
    return found


def _surveyed(text: CorpusText, validation_share: float) -> Generator[float, None, Survey]:
    split = text.place_of_split(validation_share)
    copies, near, closely = _Copies(split), _NearCopies(split), _Closely()
    each = -(-text.characters // SAMPLE)  # one of that many pieces is examined closely
    shortest = 1 if text.documents else SHORTEST
    read = behind = 0
    for number, (piece, units) in enumerate(_with_units(cut(text.parts), BOUNDARY if text.documents else PARAGRAPH)):
        for unit in units:
            if len(unit.text) >= shortest:
                behind += unit.place >= split
                key = copies.add(unit)
                if number % each == 0 and len(unit.text) >= SHORTEST:
                    near.add(unit, key)
        if number % each == 0:
            closely.add(piece.replace(BOUNDARY, "\n"), read)
        read += len(piece)
        yield COPYING_SHARE * read / text.characters
    near_copies, near_in_both = near.found()
    yield 1.0
    return Survey(
        characters=text.characters,
        different=len(text.counts),
        documents=text.documents,
        validation_documents=behind if text.documents else 0,
        scripts=scripts_of(text.counts),
        examined=min(1.0, closely.characters / text.characters),
        estimated=copies.mask > 0,
        compared=near.compared,
        copies=copies.spot(),
        near_copies=near_copies,
        in_both=copies.spot_in_both(),
        near_in_both=near_in_both,
        longest_line=closely.longest_line,
        lines=closely.lines,
        **closely.spots,
    )


def scripts_of(counts: dict[str, int]) -> dict[str, float]:
    """Return the share of each script among the letters, the largest first, by the first words of their names."""
    found: Counter[str] = Counter()
    for character, count in counts.items():
        if character.isalpha():
            found[unicodedata.name(character, "other").split(" ")[0].removesuffix("-").capitalize()] += count
    total = found.total()
    return {script: count / total for script, count in found.most_common()}


def _with_units(pieces: Iterable[str], end: str) -> Iterator[tuple[str, list[Unit]]]:
    """Yield the pieces of a text, each with the units that end in it; then an empty piece with the last unit."""
    start, rest = 0, ""
    for piece in pieces:
        *whole, rest = (rest + piece).split(end)
        units = []
        for one in whole:
            units.append(Unit(start, one))
            start += len(one) + len(end)
        if len(rest) >= AT_ONCE:
            units.append(Unit(start, rest))
            start, rest = start + len(rest), ""
        yield piece, units
    yield "", [Unit(start, rest)] if rest.strip() else []


class _Copies:
    """Counts the units that are there more than once."""

    def __init__(self, split: int) -> None:
        self.mask = 0  # only hashes without these bits are counted
        self._split = split
        self._seen: dict[int, list[int]] = {}  # how often in the training part, and in the validation part
        self._first = self._first_in_both = Spot()

    def add(self, unit: Unit) -> int:
        """Count a unit; return its hash."""
        content = unit.text.strip().encode("utf-8", "surrogatepass")
        key = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
        if key & self.mask:
            return key
        known = self._seen.setdefault(key, [0, 0])
        behind = unit.place >= self._split
        if sum(known) and not self._first.text:
            self._first = _spot(unit)
        if behind and known[0] and not self._first_in_both.text:
            self._first_in_both = _spot(unit)
        known[behind] += 1
        if len(self._seen) > MOST_HASHES:
            self.mask = self.mask << 1 | 1
            self._seen = {key: known for key, known in self._seen.items() if not key & self.mask}
        return key

    def spot(self) -> Spot:
        """Return how many units are copies of earlier ones."""
        count = sum(sum(known) - 1 for known in self._seen.values())
        return msgspec.structs.replace(self._first, count=count * (self.mask + 1))

    def spot_in_both(self) -> Spot:
        """Return how many units of the validation part are in the training part, too."""
        count = sum(validation for train, validation in self._seen.values() if train)
        return msgspec.structs.replace(self._first_in_both, count=count * (self.mask + 1))


class _NearCopies:
    """Compares units that are different, but perhaps not by much."""

    def __init__(self, split: int) -> None:
        self._split = split
        self._keys: set[int] = set()
        self._spots: list[Spot] = []
        self._batch: list[str] = []
        self._characters = 0
        self._signatures: list[Signatures] = []

    @property
    def compared(self) -> int:
        """How many units are compared."""
        return len(self._spots)

    def add(self, unit: Unit, key: int) -> None:
        """Compare one more unit, unless the same was there already, or there are too many."""
        if key in self._keys or len(self._spots) >= MOST_COMPARED:
            return
        text = unit.text[:COMPARED]
        if self._characters + len(text) > MOST_CHARACTERS:
            self._sign()
        self._keys.add(key)
        self._spots.append(_spot(unit))
        self._batch.append(text)
        self._characters += len(text)

    def found(self) -> tuple[Spot, Spot]:
        """Return how many units an earlier one nearly is, and of these those that are in both parts of the text."""
        self._sign()
        if not self._signatures:
            return Spot(), Spot()
        earlier = near_copies(np.concatenate(self._signatures))
        places = np.array([spot.place for spot in self._spots])
        near = earlier != np.arange(len(earlier))
        return self._first(near), self._first(near & (places >= self._split) & (places[earlier] < self._split))

    def _first(self, which: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Spot:
        if not which.any():
            return Spot()
        return msgspec.structs.replace(self._spots[int(np.argmax(which))], count=int(which.sum()))

    def _sign(self) -> None:
        if self._batch:
            self._signatures.append(signatures(self._batch))
        self._batch, self._characters = [], 0


class _Closely:
    """Looks for what is hardly meant to be read."""

    def __init__(self) -> None:
        self.characters = self.lines = 0
        self.longest_line = Spot()
        self.spots: dict[str, Spot] = {}

    def add(self, piece: str, start: int) -> None:
        """Examine a piece of the text that begins at the character `start`."""
        self.characters += len(piece)
        place = start
        for line in piece.split("\n"):
            self.lines += bool(line)
            if len(line) > self.longest_line.count:
                self.longest_line = Spot(len(line), place, line[:SHOWN])
            if line.startswith("{") and line.endswith("}"):
                self._count("json_lines", place, line)
            place += len(line) + 1
        for found in MARKUP.finditer(piece):
            self._count("markup", start + found.start(), found[0])
        kinds: tuple[Kind, ...] = ("addresses", "keys")
        for kind in kinds:
            for found in found_in(piece, kind):
                self._count(kind, start + found.start(), found[0])

    def _count(self, what: str, place: int, text: str) -> None:
        known = self.spots.get(what) or Spot(0, place, text[:SHOWN])
        self.spots[what] = msgspec.structs.replace(known, count=known.count + 1)


def _spot(unit: Unit) -> Spot:
    text = unit.text.lstrip()
    return Spot(0, unit.place + len(unit.text) - len(text), text[:SHOWN])
