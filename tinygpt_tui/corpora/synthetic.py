"""A small grammar of chances that writes texts of known entropy.

A text of known entropy gives the loss chart a floor that no model can go under. The grammar is data, made of five
nodes: `Text`, `Sequence`, `Choice`, `Let` (draw a value once, share it below) and `Reference` (a word that belongs to
the value). Every node can write, measure itself exactly, and read a text back. The grammar of the shipped tales is
`data/tales.toml`, in the notation of `notation.py`.

**The formula.** A corpus is a sequence of independent tales, so by the renewal theorem its entropy per character is

    H(tale) / (E[characters of a tale] + characters of the separator)        nats per character

and both sides follow the tree, without sampling: a `Choice` of weights w adds H(w) and the w-weighted mean of its
options; a `Sequence` adds up its parts; a `Let` adds the log of its table's size; a `Reference` is the mean over the
values its slot may still have, each measured with the slot held at that value. This is exact because tables are
independent of each other, so that holding one slot leaves the others as they were.

**Why it is the floor.** The mean loss of a model q on texts from p is H(p) + KL(p || q), and KL is never negative
(Gibbs). On a finite text the loss of one run may be a little above or below it, by chance; and a model can go
under it only on tales that it has seen and memorised. H counts derivations, so it is the entropy of the *text*
only if no text has two derivations: `readings` finds all of them, and the tests ask that there be one.

Source: Shannon 1948, section 7 (the entropy of a branching source).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as AnySequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol


class Measure(NamedTuple):
    """What a node adds to a tale: entropy in nats, and its expected length in characters."""

    entropy: float
    length: float


class Reading(NamedTuple):
    """One way to read a node: where it ended, what the slots then may be, and its log-probability in nats."""

    end: int
    scope: Scope
    log_probability: float


class Dice:
    """Draws from its own random source, and keeps the log-probability (nats) of all it drew.

    Only `Random.random` is used: of all its methods, that alone is promised to stay the same between Python versions.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.log_probability = 0.0

    def pick(self, weights: AnySequence[float]) -> int:
        """The index of one of the weights, which sum to 1."""
        point = self._random.random()
        last = len(weights) - 1
        index = 0
        while index < last and point >= weights[index]:
            point -= weights[index]
            index += 1
        self.log_probability += math.log(weights[index])
        return index


class Node(Protocol):
    """A piece of a grammar. A scope holds, for each slot, the values that it may still have."""

    def write(self, scope: Scope, dice: Dice) -> str: ...

    def measure(self, scope: Scope) -> Measure: ...

    def read(self, text: str, start: int, scope: Scope) -> Iterator[Reading]: ...


Record = Mapping[str, Node]
Table = tuple[Record, ...]
Scope = Mapping[str, Table]


@dataclass(frozen=True)
class Text:
    """These characters."""

    text: str

    def write(self, scope: Scope, dice: Dice) -> str:
        return self.text

    def measure(self, scope: Scope) -> Measure:
        return Measure(0.0, len(self.text))

    def read(self, text: str, start: int, scope: Scope) -> Iterator[Reading]:
        if text.startswith(self.text, start):
            yield Reading(start + len(self.text), scope, 0.0)


@dataclass(frozen=True)
class Sequence:
    """One part after another."""

    parts: tuple[Node, ...]

    def write(self, scope: Scope, dice: Dice) -> str:
        return "".join(part.write(scope, dice) for part in self.parts)

    def measure(self, scope: Scope) -> Measure:
        measures = [part.measure(scope) for part in self.parts]
        return Measure(sum(m.entropy for m in measures), sum(m.length for m in measures))

    def read(self, text: str, start: int, scope: Scope) -> Iterator[Reading]:
        if not self.parts:
            yield Reading(start, scope, 0.0)
            return
        for head in self.parts[0].read(text, start, scope):
            for tail in Sequence(self.parts[1:]).read(text, head.end, head.scope):
                yield tail._replace(log_probability=head.log_probability + tail.log_probability)


@dataclass(frozen=True)
class Choice:
    """One of the options, each with its weight; without weights all are equally likely."""

    options: tuple[Node, ...]
    weights: tuple[float, ...] = ()

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The weights, summing to 1."""
        weights = self.weights or (1.0,) * len(self.options)
        assert len(weights) == len(self.options), "a weight for each option"
        return tuple(weight / sum(weights) for weight in weights)

    def write(self, scope: Scope, dice: Dice) -> str:
        return self.options[dice.pick(self.probabilities)].write(scope, dice)

    def measure(self, scope: Scope) -> Measure:
        entropy = length = 0.0
        for probability, option in zip(self.probabilities, self.options, strict=True):
            inner = option.measure(scope)
            entropy += probability * (inner.entropy - math.log(probability))
            length += probability * inner.length
        return Measure(entropy, length)

    def read(self, text: str, start: int, scope: Scope) -> Iterator[Reading]:
        for probability, option in zip(self.probabilities, self.options, strict=True):
            for reading in option.read(text, start, scope):
                yield reading._replace(log_probability=reading.log_probability + math.log(probability))


@dataclass(frozen=True)
class Let:
    """Draw a record from the table, all equally likely; the body refers to it by the slot's name."""

    slot: str
    table: Table
    body: Node

    def write(self, scope: Scope, dice: Dice) -> str:
        index = dice.pick((1 / len(self.table),) * len(self.table))
        return self.body.write({**scope, self.slot: (self.table[index],)}, dice)

    def measure(self, scope: Scope) -> Measure:
        assert self.slot not in scope, f"`{self.slot}` is drawn twice"
        inner = self.body.measure({**scope, self.slot: self.table})
        return Measure(inner.entropy + math.log(len(self.table)), inner.length)

    def read(self, text: str, start: int, scope: Scope) -> Iterator[Reading]:
        for reading in self.body.read(text, start, {**scope, self.slot: self.table}):
            # A value that the text never shows gives one reading for each value that it could have.
            for _ in reading.scope[self.slot]:
                outer = {slot: table for slot, table in reading.scope.items() if slot != self.slot}
                yield Reading(reading.end, outer, reading.log_probability - math.log(len(self.table)))


@dataclass(frozen=True)
class Reference:
    """A feature of the slot's value: a word, or a whole node of its own."""

    slot: str
    feature: str

    def write(self, scope: Scope, dice: Dice) -> str:
        (record,) = scope[self.slot]
        return record[self.feature].write(scope, dice)

    def measure(self, scope: Scope) -> Measure:
        table = scope[self.slot]
        measures = [record[self.feature].measure({**scope, self.slot: (record,)}) for record in table]
        return Measure(sum(m.entropy for m in measures) / len(table), sum(m.length for m in measures) / len(table))

    def read(self, text: str, start: int, scope: Scope) -> Iterator[Reading]:
        for record in scope[self.slot]:
            yield from record[self.feature].read(text, start, {**scope, self.slot: (record,)})


@dataclass(frozen=True)
class Grammar:
    """Tales, one after another, with a separator between them that no tale contains."""

    tale: Node
    separator: str = "\n\n"


def write_tale(grammar: Grammar, random: Random) -> tuple[str, float]:
    """One tale, and the log-probability of its derivation in nats."""
    dice = Dice(random)
    text = grammar.tale.write({}, dice)
    return text, dice.log_probability


def write_tales(grammar: Grammar, seed: int, size: int) -> str:
    """Whole tales until there are at least `size` characters; the same seed always gives the same text."""
    random = Random(seed)
    tales: list[str] = []
    written = 0
    while written < size:
        text, _ = write_tale(grammar, random)
        tales.append(text)
        written += len(text) + len(grammar.separator)
    return grammar.separator.join(tales) + "\n"


def entropy_per_character(grammar: Grammar) -> float:
    """The true entropy of the text in nats per character: the floor of every model's loss (see the top of the file)."""
    tale = grammar.tale.measure({})
    return tale.entropy / (tale.length + len(grammar.separator))


def readings(grammar: Grammar, tale: str) -> list[float]:
    """The log-probability in nats of each derivation of this tale; none if the grammar cannot write it."""
    found = grammar.tale.read(tale, 0, {})
    return [reading.log_probability for reading in found if reading.end == len(tale)]
