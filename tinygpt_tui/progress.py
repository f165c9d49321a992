"""Generators that yield the share of a work that is done, and return its result; a caller can stop in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

R = TypeVar("R")


def exhausted(steps: Generator[object, None, R]) -> R:
    """Return what a generator of progress returns at its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def part(steps: Generator[float, None, R], start: float, end: float = 1.0) -> Generator[float, None, R]:
    """Map the shares of `steps` to the range from `start` to `end`."""
    while True:
        try:
            yield start + (end - start) * next(steps)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
