"""What a model keeps between tokens: passed in, never hung on the model."""

from __future__ import annotations

from typing import Protocol


class Memory(Protocol):
    """The part of the past that a model needs to go on; `length` tokens have been seen."""

    length: int
