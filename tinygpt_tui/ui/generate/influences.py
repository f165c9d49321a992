"""What each character of a text did for a later one, and that in a sentence; no Textual here."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tinygpt_tui.events.generation import Attributed, Attribution
from tinygpt_tui.ui.shared.microscope import MARKS, name_of, percent
from tinygpt_tui.ui.shared.surprise_index import CharInfo, Span
from tinygpt_tui.ui.shared.wrapping import shown

STEPS_BITS = (0.2, 0.7, 2.0)  # of a character that made the letter more likely: levels 1 to 3; less likely: 4 to 6
CONTEXT = 10  # characters before the letter that a sentence quotes
NAMED = 3  # passages that a sentence names
OF_STRONGEST = 0.25  # a weaker part of the strongest influence than this is not named
NEAR = 12  # characters: a passage farther back is named with its distance
NAMES = {" ": "the space", "\n": "the new line", "\t": "the tab"}


class Influences:
    """The answers to one question: why the character at `offset`."""

    def __init__(self, offset: int = 0, length: int = 0) -> None:
        self.offset = offset
        self.levels = bytearray(length)  # of each character of the text, 1 to 6; 0: none
        self.left: int | None = None  # tokens that are still to come; None: not known yet
        self.problem = ""
        self._found: list[Attribution] = []

    def add(self, events: Iterable[Attributed]) -> Span | None:
        """Take in answers; return which characters have another level now."""
        changed: list[int] = []
        for event in events:
            self.left = event.left
            self._found += event.tokens
            for token in event.tokens:
                level = level_of(token.bits)
                for at in range(token.start, min(token.end, len(self.levels))):
                    self.levels[at] = max(self.levels[at], level)  # of a character in several tokens the strongest
                    changed.append(at)
        return Span(min(changed), max(changed) + 1) if changed else None

    def passages(self, sign: int) -> list[Span]:
        """Return the strongest influences for the character (1) or against it (-1), neighbours as one, in order."""
        strength = {(one.start, one.end): sign * one.bits for one in self._found}
        least = max(STEPS_BITS[0 if sign > 0 else 1], OF_STRONGEST * max(strength.values(), default=0))
        found: list[tuple[float, Span]] = []
        for start, end in sorted(place for place, bits in strength.items() if bits >= least):
            bits = strength[start, end]
            if found and found[-1][1].end == start:
                bits, start = max(bits, found[-1][0]), found.pop()[1].start
            found.append((bits, Span(start, end)))
        strongest = sorted(found, reverse=True)[: NAMED if sign > 0 else 1]
        return sorted(span for _, span in strongest)


class Fact(NamedTuple):
    """What the microscope knows of the character: its text, its probability and rank, and the most likely one."""

    letter: str
    probability: float
    rank: int
    best: str
    best_probability: float


def fact_of(look: CharInfo, text: str) -> Fact | None:
    """Return the facts of a character; None if they are not known."""
    chance = look.tokens[0].chance if look.state == "known" else None
    if chance is None or not chance.candidates:
        return None
    best = chance.candidates[0]
    return Fact(text[look.start : look.end], look.probability, chance.rank, best.text, best.probability)


def sentence(text: str, fact: Fact | None, influences: Influences) -> str:
    """Say why the character is there, or what the answer waits for."""
    if influences.problem or fact is None:
        return influences.problem or "…"
    offset = influences.offset
    before = shown(text[max(0, offset - CONTEXT) : offset].translate(MARKS))
    parts = [f"After “{before}”, {name_of(fact.letter)} had {percent(fact.probability)}"]
    helped = [_named(text, span, offset) for span in influences.passages(1)]
    against = [_named(text, span, offset) for span in influences.passages(-1)]
    if helped:
        parts.append(f"it leaned on {_listed(helped)}")
    elif influences.left == 0:
        parts.append("no single character before it made it much more likely")
    if against:
        parts.append(f"{_listed(against)} made it less likely")
    if fact.rank == 1:
        parts.append("it was the most likely")
    else:
        parts.append(f"the most likely was {name_of(fact.best)}, {percent(fact.best_probability)}")
    waiting = f" … {influences.left} to go" if influences.left else ""
    return "; ".join(parts) + "." + waiting


def level_of(bits: float) -> int:
    """Return the level of an influence: 0 none, 1 to 3 for the character, 4 to 6 against it.

    >>> [level_of(bits) for bits in (0.0, 0.3, 5.0, -0.3, -5.0)]
    [0, 1, 3, 4, 6]
    """
    step = bisect_right(STEPS_BITS, abs(bits))
    return step + len(STEPS_BITS) if step and bits < 0 else step


def _named(text: str, span: Span, offset: int) -> str:
    quoted = text[span.start : span.end]
    name = NAMES.get(quoted) or f"“{shown(quoted.translate(MARKS))}”"
    back = offset - span.end + 1
    return f"{name} {back} back" if back > NEAR else name


def _listed(names: list[str]) -> str:
    return " and ".join(_with_commas(names))


def _with_commas(names: list[str]) -> Iterator[str]:
    if len(names) > 1:
        yield ", ".join(names[:-1])
    yield names[-1]
