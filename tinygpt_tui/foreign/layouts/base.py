"""The contract of every layout, and what one finds in a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.facts import Fact, FactSource, assumption, in_words
from tinygpt_tui.foreign.qkv_order import READINGS, QKVOrder, Reading, orders
from tinygpt_tui.foreign.rename import Placed
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.foreign.tensors import read
from tinygpt_tui.reading import convert
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.base import BaseArchitecture
from tinygpt_tui.settings.model_config import TrainedOn
from tinygpt_tui.tokenizers.base import Tokenizer

Weights = dict[str, NDArray[np.float32]]
Follow = Callable[[ArchitectureSettings, Reading], ArchitectureSettings]
MOST_HEADS = 64
Net = TypeVar("Net", bound=BaseArchitecture)


@dataclass(frozen=True)
class Question:
    """What headers cannot tell: a setting, the values it may have (what the layout's programs do first), and why."""

    setting: str
    candidates: tuple[Any, ...]
    detail: str = ""


@dataclass(frozen=True)
class LayoutMatch:
    """What a layout read of a checkpoint's headers: `settings` with the most likely answer to each question."""

    settings: ArchitectureSettings
    facts: tuple[Fact, ...]
    placed: Placed
    questions: tuple[Question, ...] = ()
    # What is done to the weights after they are put together, for the settings that were settled on; it returns new
    # numbers, and leaves those it was given as they are.
    finish: Callable[[Weights, ArchitectureSettings], Weights] | None = None
    reading: Reading = field(default_factory=Reading)
    # The characters that its program usually has, in the order of their ids; for a vocabulary that nothing tells.
    characters: str = ""
    vocabulary_files: str = ""  # the files in which its program stores a vocabulary, for messages
    # What a file of our own holds besides.
    tokenizer: Tokenizer | None = None
    trained: TrainedOn | None = None
    # What follows from other settings: heads of keys from those of queries, rotary positions from a reading.
    follow: Follow | None = None

    def followed(self, settings: ArchitectureSettings, reading: Reading) -> ArchitectureSettings:
        """Return the settings with those that follow from the others."""
        return self.follow(settings, reading) if self.follow else settings


class Layout(Protocol):
    """One way to arrange a checkpoint. `name` stands in the table, `title` is for people."""

    name: str
    title: str

    def recognises(self, source: Source) -> bool:
        """Whether it is of this layout: by names, shapes and keys; reads no numbers."""
        ...

    def match(self, source: Source) -> LayoutMatch:
        """Return the settings and where they come from.

        Raises CheckpointError where it is of this layout and yet cannot be opened: a tensor without a place, a part
        that is missing, a thing that is not built here.
        """
        ...


@dataclass
class Findings:
    """Collects settings, each with its source."""

    values: dict[str, Any] = field(default_factory=dict)  # of the net's settings
    readings: dict[str, Any] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def known(self, setting: str, value: Any, source: FactSource, detail: str = "") -> None:
        self.values[setting] = value
        self.facts.append(Fact(name=setting, value=in_words(value), source=source, detail=detail))

    def embedding(self, source: Source, tensor: str, called: str = "") -> int:
        """Set vocab_size and n_embd by the shape of the embedding (V, C); return C. Raises CheckpointError."""
        V, C = matrix(source, tensor)
        self.known("vocab_size", V, "tensor", called or tensor)
        self.known("n_embd", C, "tensor", called or tensor)
        return C

    def unknown(
        self, setting: str, candidates: Sequence[Any], detail: str = "", *, by_convention: bool = False
    ) -> None:
        """Leave a setting open; the first candidate is assumed. `by_convention` says that its program does so."""
        if len(candidates) < 2 or by_convention:
            (self.readings if setting in READINGS else self.values)[setting] = candidates[0]
            fact = Fact(name=setting, value=in_words(candidates[0]), source="convention", detail=detail)
            self.facts.append(fact)
        else:
            self.assumed(setting, candidates[0], detail)
        if len(candidates) > 1:
            self.questions.append(Question(setting, tuple(candidates), detail))

    def assumed(self, setting: str, value: Any, detail: str) -> None:
        """Set a setting that nothing tells: a guess, which is shown as one."""
        (self.readings if setting in READINGS else self.values)[setting] = value
        self.facts.append(assumption(setting, value, detail))

    def unknown_order(self, first: QKVOrder, detail: str) -> None:
        """Leave open in which order a fused matrix holds queries, keys and values."""
        self.unknown("qkv_order", orders(first), detail, by_convention=True)

    @property
    def reading(self) -> Reading:
        return Reading(**self.readings)

    def settings(self, name: str) -> GPTSettings:
        """Return them as a net's settings. Raises CheckpointError where they are out of its limits."""
        return limited(GPTSettings(**self.values), name)

    def match(self, settings: ArchitectureSettings, placed: Placed, **more: Any) -> LayoutMatch:
        """Return what was found as a match; `more` are other fields of LayoutMatch."""
        return LayoutMatch(settings, tuple(self.facts), placed, tuple(self.questions), reading=self.reading, **more)


def matrix(source: Source, name: str) -> tuple[int, int]:
    """Return the shape of a matrix. Raises CheckpointError where it is none, or not there."""
    shape = source.shape(name)
    if len(shape) != 2 or not math.prod(shape):
        raise CheckpointError(f"{source.name}: {name} is no matrix", "the file is damaged")
    return shape[0], shape[1]


def are_same(source: Source, one: str, other: str) -> bool:
    """Whether two tensors are the same: the same place in the file, or the same numbers."""
    a, b = source.tensors[one], source.tensors[other]
    if a.shape != b.shape:
        return False
    return (a.file, a.origin, a.start) == (b.file, b.origin, b.start) or bool(np.array_equal(read(a), read(b)))


def limited(settings: Net, name: str) -> Net:
    """Return `settings` where every one is inside its limits. Raises CheckpointError."""
    try:
        return convert(msgspec.to_builtins(settings), type(settings))
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{name} is of a size that is not opened here: {error}", "") from None


def head_counts(n_embd: int, typical: int = 0) -> tuple[int, ...]:
    """Return how many heads a width may be shared among, the most common first.

    Without a `typical` size of a head: small nets have mostly 4 heads, larger ones heads of 64 numbers.

    >>> head_counts(96)
    (4, 3, 6, 2, 8, 12, 1, 16, 24)
    """
    counts = [
        count for count in range(1, MOST_HEADS + 1) if n_embd % count == 0 and (n_embd // count >= 4 or count == 1)
    ]
    likely = n_embd / typical if typical else 4 if n_embd <= 256 else n_embd / 64
    return tuple(sorted(counts, key=lambda count: (abs(math.log(count / likely)), count)))


def number_in(values: Mapping[Any, Any], *names: str) -> int | None:
    """Return the first of these entries that is a positive whole number."""
    for name in names:
        value = values.get(name)
        if type(value) is int and 0 < value < 1 << 40:
            return value
    return None
