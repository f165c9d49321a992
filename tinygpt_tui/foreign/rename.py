"""Foreign names to ours: a table a layout, read from top to bottom.

A pattern may hold `{i}` (a block) and `{h}` (a head), which stand for numbers. What it becomes is a `To`, or None for
"known and ignored". Every tensor must have a place, and every place one tensor.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.foreign.tensors import TensorPlace, read

MOST_LOOKED_AT = 2000  # tensors whose names say nothing; a mask is read to know it
MOST_SHOWN = 3
LARGEST_MASK = 4096  # positions


@dataclass(frozen=True)
class To:
    """Where a tensor goes: our name for it.

    `part` is which piece of ours it is, where several make one: they are laid under one another, sorted by it (`0.{h}`
    for a query, `1.{h}` for a key, `2.{h}` for a value). `turned` says that the file keeps it (in, out),
    `squeezed` that it has axes of one number which ours has not.
    """

    name: str
    part: str = ""
    turned: bool = False
    squeezed: bool = False


Table = Mapping[str, To | None]
Placed = dict[str, list[tuple[tuple[int, ...], str, To]]]


def place(names: Mapping[str, TensorPlace], table: Table, what: str) -> Placed:
    """Return for each of our names the tensors that make it, in order, as (part, foreign name, To).

    What is no weight needs no place, whatever it is called: counts, positions, masks. Raises CheckpointError where a
    tensor has no place, or a place has two.
    """
    patterns = [(_compiled(pattern), to) for pattern, to in table.items()]
    placed: Placed = {}
    strangers = []
    looked = 0
    for name in names:
        for pattern, to in patterns:
            found = pattern.fullmatch(name)
            if found:
                if to is not None:
                    numbers = found.groupdict()
                    part = tuple(int(number) for number in to.part.format(**numbers).split(".") if number)
                    placed.setdefault(to.name.format(**numbers), []).append((part, name, to))
                break
        else:
            looked += 1
            if looked > MOST_LOOKED_AT or not is_no_weight(names[name]):
                strangers.append(name)
    if strangers:
        shown = ", ".join(f"{name} {names[name].shape}" for name in strangers[:MOST_SHOWN])
        shown += " …" if len(strangers) > MOST_SHOWN else ""
        raise CheckpointError(
            f"{len(names)} tensors, of which {len(strangers)} have no place in {what}: {shown}",
            "it may be of a program that is not known here",
        )
    for target, parts in placed.items():
        parts.sort(key=lambda one: one[0])
        for before, after in itertools.pairwise(parts):
            if before[0] == after[0]:
                raise CheckpointError(f"{target} would be made twice, of {before[1]} and of {after[1]}", "")
    return placed


def is_no_weight(place: TensorPlace) -> bool:
    """Whether a tensor is none that was learned: not of floats, or a mask, which is a triangle of two numbers."""
    if not place.is_float:
        return True
    *front, rows, columns = place.shape if len(place.shape) >= 2 else (0, 0)
    if rows != columns or not 2 <= rows <= LARGEST_MASK or any(size != 1 for size in front):
        return False
    numbers = read(place).reshape(rows, columns)
    lower = np.tri(rows, dtype=bool)
    inside, outside = numbers[lower], numbers[~lower]
    return bool((inside == inside[0]).all() and (outside == outside[0]).all() and inside[0] != outside[0])


def assemble(source: Source, placed: Placed) -> dict[str, NDArray[np.float32]]:
    """Read the tensors and put ours together. Raises CheckpointError where parts do not fit, StorageError."""
    made = {}
    for target, parts in placed.items():
        pieces = []
        for _, name, to in parts:
            numbers = read(source.tensors[name])
            numbers = numbers.squeeze() if to.squeezed else numbers
            pieces.append(np.ascontiguousarray(numbers.T) if to.turned else numbers)
        try:
            made[target] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        except ValueError:
            names = ", ".join(name for _, name, _ in parts[:MOST_SHOWN])
            raise CheckpointError(f"{names} … do not fit together", "the file is damaged") from None
    return made


def count(names: Mapping[str, object], pattern: str, key: str) -> int:
    """Return one more than the highest number that `key` stands for in names of this pattern; 0 where none is.

    >>> count({"h.0.w": 0, "h.1.w": 0}, "h.{i}.w", "i")
    2
    """
    compiled = _compiled(pattern)
    numbers = {int(found[key]) for name in names if (found := compiled.fullmatch(name))}
    if numbers and numbers != set(range(len(numbers))):
        absent = min(set(range(max(numbers))) - numbers)
        shown = pattern.replace("{i}", "*").replace("{h}", "*")
        raise CheckpointError(f"of {shown} number {absent} is missing", "the file is damaged")
    return len(numbers)


def _compiled(pattern: str) -> re.Pattern[str]:
    """Turn a pattern into a regular expression; a number has no leading zero and at most six digits."""
    seen: set[str] = set()

    def group(found: re.Match[str]) -> str:
        key = found[1]
        if key in seen:
            return f"(?P={key})"
        seen.add(key)
        return rf"(?P<{key}>0|[1-9]\d{{0,5}})"

    return re.compile(re.sub(r"\\{(\w)\\}", group, re.escape(pattern)))
