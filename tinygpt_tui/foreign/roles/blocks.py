"""Where the blocks of a net are: parts of its names that are numbered and have the same shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tinygpt_tui.foreign.rename import is_no_weight
from tinygpt_tui.foreign.roles.names import Path, is_alibi, is_rotation
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.foreign.tensors import TensorPlace, read

MOST_TENSORS = 5000
_NUMBERED = re.compile(r"(.*?)_?(\d{1,6})")
LARGEST_BUFFER = 1 << 24  # numbers


@dataclass(frozen=True)
class Part:
    """One learned tensor: its name in the file, its path inside what is looked at, its shape without axes of 1."""

    name: str
    path: Path
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Blocks:
    """Blocks of the same shapes in order, each its parts by path; and all other tensors."""

    layers: tuple[dict[Path, Part], ...]
    outside: tuple[Part, ...]
    is_numbered: bool


def learned_parts(source: Source) -> tuple[list[Part], list[TensorPlace]]:
    """Return the learned tensors, and those that are not: masks, counts, angles of rotary positions."""
    learned, others = [], []
    for name, place in list(source.tensors.items())[: MOST_TENSORS + 1]:
        path = tuple(name.split("."))
        if is_no_weight(place) or place.numel == 0 or is_alibi(name) or _is_rotations(place, path) or _is_fill(place):
            others.append(place)
        else:
            learned.append(Part(name, path, tuple(size for size in place.shape if size != 1) or (1,)))
    return learned, others


def candidates(parts: list[Part]) -> Iterator[Blocks]:
    """Yield what may be the blocks, the largest first; after them lists side by side, and parts without a number."""
    lists: dict[Path, dict[int, dict[Path, Part]]] = {}  # blocks.0
    series: dict[Path, dict[int, dict[Path, Part]]] = {}  # block_0
    single: dict[Path, dict[Path, Part]] = {}
    for part in parts:
        for at, segment in enumerate(part.path[:-1]):
            found = _NUMBERED.fullmatch(segment)
            inner = part.path[at + 1 :]
            if found:
                key = (*part.path[:at], found[1]) if found[1] else part.path[:at]
                kind = series if found[1] else lists
                kind.setdefault(key, {}).setdefault(int(found[2]), {})[inner] = part
            single.setdefault(part.path[: at + 1], {})[inner] = part
    groups = [group for elements in (*lists.values(), *series.values()) for group in _alike(elements)]
    groups.sort(key=lambda group: -sum(part.numel for layer in group for part in layer.values()))
    groups += _side_by_side(lists)
    groups += [group for elements in lists.values() for group in _in_pairs(elements)]
    numbered = len(groups)
    groups += [[layer] for _, layer in sorted(single.items(), key=lambda one: len(one[0]))]
    groups.append([{part.path: part for part in parts}])
    for number, group in enumerate(groups):
        inside = {part.name for layer in group for part in layer.values()}
        layers = tuple({path: Part(one.name, path, one.shape) for path, one in layer.items()} for layer in group)
        yield Blocks(layers, tuple(part for part in parts if part.name not in inside), number < numbered)


def _alike(elements: dict[int, dict[Path, Part]]) -> list[list[dict[Path, Part]]]:
    """Return the elements of a list in groups of the same names and shapes, each in order and without a gap."""
    groups: dict[frozenset[tuple[Path, tuple[int, ...]]], dict[int, dict[Path, Part]]] = {}
    for number, element in sorted(elements.items()):
        signature = frozenset((path, part.shape) for path, part in element.items())
        groups.setdefault(signature, {})[number] = element
    return [list(group.values()) for group in groups.values() if max(group) - min(group) == len(group) - 1]


def _in_pairs(elements: dict[int, dict[Path, Part]]) -> Iterable[list[dict[Path, Part]]]:
    """Yield blocks of two elements of a list each, where attention and MLP take turns in it (x-transformers)."""
    if len(elements) % 2 or sorted(elements) != list(range(len(elements))):
        return
    pairs = (
        {(str(half), *path): part for half in (0, 1) for path, part in elements[at + half].items()}
        for at in range(0, len(elements), 2)
    )
    yield from (group for group in _alike(dict(enumerate(pairs))) if 2 * len(group) == len(elements))


def _side_by_side(lists: dict[Path, dict[int, dict[Path, Part]]]) -> Iterable[list[dict[Path, Part]]]:
    """Yield blocks whose sublayers are in lists of their own (`attentions.0`, `mlps.0`), joined."""
    outer = [key for key in lists if not any(key[: len(other)] == other and key != other for other in lists)]
    for length in sorted({len(lists[key]) for key in outer}, reverse=True):
        together = [key for key in outer if len(lists[key]) == length]
        if len(together) > 1:
            indices = [sorted(lists[key]) for key in together]
            joined = [
                {
                    (*key[-1:], *path): part
                    for key, numbers in zip(together, indices, strict=True)
                    for path, part in lists[key][numbers[at]].items()
                }
                for at in range(length)
            ]
            yield from _alike(dict(enumerate(joined)))


def _is_rotations(place: TensorPlace, path: Path) -> bool:
    if not is_rotation(path) or place.numel > LARGEST_BUFFER:
        return False
    return bool((np.abs(read(place)) <= 1).all())


def _is_fill(place: TensorPlace) -> bool:
    """Whether it is one number that stands for minus infinity, as GPT-2's `masked_bias`."""
    return place.numel == 1 and bool((read(place) < -1000).all())
