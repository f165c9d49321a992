"""Which passages of a short text are copied word for word from a long one, and the longest of them.

A pass over the long text, a block at a time, finds where a passage of a given length begins: by rolling hashes, and
then character by character. The first pass, for the shortest passages that count, marks all that is copied. Another one
looks for something longer than the longest that is known, until there is nothing or after MOST_PASSES, which bounds the
time. The memory is that of a block, however long the text.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import numpy as np

from tinygpt_tui.corpora.rolling_hash import RollingHash, numbers_of
from tinygpt_tui.events.generation import SHORTEST_COPY

SHORTEST = SHORTEST_COPY
BLOCK = 1 << 20  # characters at once
MOST_PASSES = 12  # each finds something longer
_FILTER_BITS = 20


class Copy(NamedTuple):
    """Characters `start` to `end` of the short text, equal to the long one's from `place`."""

    start: int
    end: int
    place: int


class Copies(NamedTuple):
    """The passages of at least SHORTEST characters that are copied, joined where they touch, and the longest one."""

    spans: tuple[tuple[int, int], ...] = ()
    longest: Copy | None = None

    @property
    def characters(self) -> int:
        return sum(end - start for start, end in self.spans)


def copies(text: str, source: str, end: int | None = None) -> Generator[float, None, Copies]:
    """Yield the share of a pass that is done, again from 0 for each; return what of `text` is in `source[:end]`."""
    end = len(source) if end is None else end
    found = yield from _found(text, source, end, SHORTEST)
    spans = _joined(sorted(found), SHORTEST)
    longest: Copy | None = None
    for _ in range(MOST_PASSES):
        if not found:
            break
        firsts = [(start, at) for start, at in found.items() if found.get(start - 1) != at - 1]
        longest = max((_extended(text, source, end, start, at) for start, at in firsts), key=_length)
        found = yield from _found(text, source, end, _length(longest) + 1)
    return Copies(spans, longest)


def _found(text: str, source: str, end: int, length: int) -> Generator[float, None, dict[int, int]]:
    """Return where in `source` the `length` characters from each place of `text` are first, if they are anywhere."""
    if len(text) < length or end < length:
        return {}
    rolling = RollingHash(length, max(BLOCK + length, len(text)))
    wanted, starts = np.unique(rolling.windows(numbers_of(text)), return_index=True)
    may_be = np.zeros(1 << _FILTER_BITS, dtype=np.bool_)
    may_be[wanted >> np.uint64(64 - _FILTER_BITS)] = True
    places: dict[int, int] = {}
    for start in range(0, end - length + 1, BLOCK):
        here = rolling.windows(numbers_of(source[start : min(end, start + BLOCK + length - 1)]))
        likely = np.flatnonzero(may_be[here >> np.uint64(64 - _FILTER_BITS)])
        which = np.minimum(np.searchsorted(wanted, here[likely]), len(wanted) - 1)
        equal = wanted[which] == here[likely]
        rows, first = np.unique(which[equal], return_index=True)
        for row, at in zip(rows.tolist(), likely[equal][first].tolist(), strict=True):
            own, its = int(starts[row]), start + at
            if text[own : own + length] == source[its : its + length]:
                places.setdefault(row, its)
        yield min(1.0, (start + BLOCK) / end)
    all_rows = np.searchsorted(wanted, rolling.windows(numbers_of(text)))
    return {start: places[row] for start, row in enumerate(all_rows.tolist()) if row in places}


def _joined(starts: list[int], length: int) -> tuple[tuple[int, int], ...]:
    spans: list[tuple[int, int]] = []
    for start in starts:
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], start + length
        else:
            spans.append((start, start + length))
    return tuple(spans)


def _extended(text: str, source: str, end: int, start: int, place: int) -> Copy:
    """Return the whole of the passage that `text` has from `start`, to the right."""
    known, most = SHORTEST, min(len(text) - start, end - place)
    step = SHORTEST
    while known < most:
        step = min(step, most - known)
        if text[start + known : start + known + step] == source[place + known : place + known + step]:
            known, step = known + step, 2 * step
        elif step == 1:
            break
        else:
            step = max(1, step // 2)
    return Copy(start, start + known, place)


def _length(copy: Copy) -> int:
    return copy.end - copy.start
