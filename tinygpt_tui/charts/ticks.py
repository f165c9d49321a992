"""Round numbers along an axis: steps of 1, 2 and 5 times a power of ten, as many as have room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

import numpy as np

from tinygpt_tui.charts.numbers import tick_text
from tinygpt_tui.charts.scale import Scale


@dataclass(frozen=True)
class Tick:
    """A number on an axis and the cell it belongs to."""

    value: float
    text: str
    cell: int


def ticks(
    scale: Scale, dots_per_cell: int, room: Callable[[str], int], whole: bool = False, strip: bool = True
) -> list[Tick]:
    """The finest set of round ticks in which neighbours are at least `room(text)` cells apart.

    `whole` allows no fractions; `strip` drops zeros at the end of decimals.
    """
    most = scale.dots // dots_per_cell // max(1, room("0")) + 1
    best: list[Tick] = []
    for values, steps in _choices(scale, whole, most):
        cells = np.rint(scale.place(np.array(values, dtype=np.float64))).astype(int) // dots_per_cell
        made = [
            Tick(value, tick_text(value, step, strip), int(cell))
            for value, step, cell in zip(values, steps, cells, strict=True)
        ]
        if _fits(made, room):
            return made
        best = best or made[:1]
    return best


def _fits(made: list[Tick], room: Callable[[str], int]) -> bool:
    return bool(made) and all(
        right.cell - left.cell >= (room(left.text) + room(right.text)) / 2 for left, right in pairwise(made)
    )


def _choices(scale: Scale, whole: bool, most: int) -> Iterator[tuple[list[float], list[float]]]:
    """Sets of at most about `most` values and the step of each, from the finest to the coarsest."""
    if scale.log and scale.high / scale.low >= 10:
        yield from _decades(scale)
    exponent = floor(log10((scale.high - scale.low) / most))
    for power in range(exponent, exponent + len(str(most)) + 2):
        for factor in (1, 2, 5):
            step = factor * 10.0**power
            if whole and step < 1:
                continue
            first, last = ceil(scale.low / step - 1e-9), floor(scale.high / step + 1e-9)
            if 0 < last - first + 1 <= most:
                values = [_product(index, factor, power) for index in range(first, last + 1)]
                inside = [value for value in values if not scale.log or value > 0]
                yield inside, [step] * len(inside)


def _product(index: int, factor: int, power: int) -> float:
    """index * factor * 10**power, without 0.30000000000000004."""
    return index * factor * 10.0**power if power >= 0 else index * factor / 10.0**-power


def _decades(scale: Scale) -> Iterator[tuple[list[float], list[float]]]:
    low, high = floor(log10(scale.low)), ceil(log10(scale.high))
    for factors, stride in (((1, 2, 5), 1), ((1, 3), 1), *(((1,), stride) for stride in (1, 2, 5, 10, 20, 50))):
        powers = [power for power in range(low, high + 1) if power % stride == 0]
        pairs = [(_product(1, factor, power), 10.0**power) for power in powers for factor in factors]
        inside = [(value, step) for value, step in pairs if scale.low * (1 - 1e-9) <= value <= scale.high * (1 + 1e-9)]
        # A single decade mark says nothing about the scale: fall through to ordinary steps.
        if len(inside) > 1:
            yield [value for value, _ in inside], [step for _, step in inside]
