"""The benchmark of generation: all ways in turn, round by round, as an iterator that says how far it is.

What was measured up to an interruption is kept: `report` can be asked at any time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.measuring.first_token import WAYS, seconds_to_first
from tinygpt_tui.measuring.machine import describe
from tinygpt_tui.measuring.nets import Nets
from tinygpt_tui.measuring.pinned import one_core
from tinygpt_tui.measuring.progress import Progress
from tinygpt_tui.measuring.report import FirstToken, Machine, Report, Row, SizeReport, Spread, TextCheck
from tinygpt_tui.measuring.sizes import BATCH, FIRST_TOKEN_GOAL_S, INSIDE, Size, Where
from tinygpt_tui.measuring.texts import check_llamas, check_texts
from tinygpt_tui.measuring.variants import HUGGING_FACE, LLAMA_CPP, NAIVE, NOT_BUILT, Variant, all_ways
from tinygpt_tui.native.library import load_library
from tinygpt_tui.settings.base import count_parameters

# For guesses of the time left alone; the clock corrects them.
_PRODUCTS_PER_S, _SECONDS_PER_LAYER, _START_S = 3e10, 8e-4, 2.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured, and how long.

    `turn_s` is the least time of one turn; `text_tokens` the length of the greedy texts, 0 for none; `model` the one
    whose first token is waited for, empty for none.
    """

    sizes: tuple[Size, ...]
    rounds: int = 5
    turn_s: float = 0.25
    text_tokens: int = 500
    model: str = "shakespeare"


@dataclass
class _Measured:
    """One size as it is being measured: the speeds of each way, round by round."""

    size: Size
    texts: list[TextCheck] = field(default_factory=list)
    ways: list[Variant] = field(default_factory=list)
    speeds: list[list[float]] = field(default_factory=list)
    timed_s: float = 0.0
    worked_s: float = 0.0  # of timed_s, what the core really gave to this process


class GenerationBenchmark:
    """Iterate over it to measure; it yields what it begins with. Sizes are measured one after another."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._measured: list[_Measured] = []
        self._first: dict[str, list[float]] = {}
        self._first_notes: dict[str, str] = {}
        self._machine: Machine | None = None
        self._began = time.perf_counter()
        self._finished = False
        self._work = _Work(plan)

    def __iter__(self) -> Iterator[Progress]:
        """Measure. Raises what an engine raises."""
        with one_core() as core:
            self._machine = describe(core)
            if self._plan.model:
                yield from self._wait_for_first_tokens()
            for size in self._plan.sizes:
                yield from self._measure(size)
        self._finished = True

    def report(self) -> Report:
        """Return what is there by now."""
        return Report(
            machine=self._machine or describe(None),
            rounds=self._plan.rounds,
            seconds=time.perf_counter() - self._began,
            finished=self._finished,
            sizes=tuple(_report_of(measured) for measured in self._measured),
            first_token=tuple(self._first_token(way) for way in WAYS) if self._plan.model else (),
        )

    def _measure(self, size: Size) -> Iterator[Progress]:
        measured = _Measured(size)
        self._measured.append(measured)
        yield self._work.begin(size.name, "making the nets")
        with closing(Nets(size)) as nets:
            yield from self._measure_nets(nets, measured)

    def _measure_nets(self, nets: Nets, measured: _Measured) -> Iterator[Progress]:
        size = nets.size
        yield self._work.begin(size.name, "starting llama.cpp")
        nets.start_llama_cpp()
        if self._plan.text_tokens:
            yield self._work.begin(f"{size.name}: greedy texts", f"{self._plan.text_tokens} tokens")
            for checked in chain(check_texts(nets, self._plan.text_tokens) if size.text else (), check_llamas(nets)):
                measured.texts.append(checked)
        self._work.done(self._work.texts_s(size))
        yield self._work.begin(size.name, "opening the engines")
        measured.ways = all_ways(nets)
        measured.speeds = [[] for _ in measured.ways]
        for number in range(self._plan.rounds + 1):  # the first round warms up
            words = f"round {number} of {self._plan.rounds}" if number else "warming up"
            for way, speeds in zip(measured.ways, measured.speeds, strict=True):
                if way.turn is None:
                    continue
                yield self._work.begin(f"{size.name}: {words}", f"{way.name}, {way.where}")
                began, worked = time.perf_counter(), time.process_time()
                speed = way.turn(self._plan.turn_s if number else 0.0)
                if number:
                    speeds.append(speed)
                if number and way.name not in LLAMA_CPP.values():  # which works in a process of its own
                    measured.timed_s += time.perf_counter() - began
                    measured.worked_s += time.process_time() - worked
            self._work.done(self._work.round_s(size))

    def _wait_for_first_tokens(self) -> Iterator[Progress]:
        for number in range(self._plan.rounds + 1):
            for way in WAYS:
                if way in self._first_notes:
                    continue
                yield self._work.begin("first token", way)
                if way == "native" and load_library() is None:
                    self._first_notes[way] = NOT_BUILT
                    continue
                try:
                    taken_s = seconds_to_first(self._plan.model, way)
                except TinyGPTError as error:
                    self._first_notes[way] = error.message
                    continue
                if number:  # the first start warms the disk's cache
                    self._first.setdefault(way, []).append(taken_s)
        self._work.done(self._work.starts_s())

    def _first_token(self, way: str) -> FirstToken:
        return FirstToken(
            way=way,
            model=self._plan.model,
            seconds=Spread.of(self._first.get(way, [])),
            wanted_s=FIRST_TOKEN_GOAL_S if way == "native" else None,
            note=self._first_notes.get(way, ""),
        )


class _Work:
    """How far the benchmark is: guessed seconds of each part, corrected by the clock as it runs."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._began, self._done_s = plan, time.perf_counter(), 0.0
        self._total_s = self.starts_s() + sum(
            self.texts_s(size) + (plan.rounds + 1) * self.round_s(size) for size in plan.sizes
        )

    def begin(self, words: str, detail: str) -> Progress:
        """Return what is said as this begins."""
        share = self._done_s / self._total_s
        passed_s = time.perf_counter() - self._began
        left_s = passed_s * (1 - share) / share if share else self._total_s
        return Progress(words=words, detail=detail, share=share, left_s=left_s)

    def done(self, guessed_s: float) -> None:
        """A part is over that was guessed to take so long."""
        self._done_s += guessed_s

    def starts_s(self) -> float:
        """Guess how long all starts of the process take."""
        return (self._plan.rounds + 1) * _START_S * len(WAYS) if self._plan.model else 0.0

    def texts_s(self, size: Size) -> float:
        """Guess how long the greedy texts of `size` take: naive's, and the engines' by the exact crop."""
        return 4 * self._plan.text_tokens * _crop_s(size) if size.text else 0.0

    def round_s(self, size: Size) -> float:
        """Guess how long a round of `size` takes: the crops, and for all else its least time."""
        count = 24 if size.moving else 14
        return (size.new / 2 + 4 * size.full) * _crop_s(size) + count * self._plan.turn_s


def _crop_s(size: Size) -> float:
    """Guess how long one token takes naive: every parameter once for each position, and what calls cost anyway."""
    return (
        count_parameters(size.settings) * size.settings.block_size / _PRODUCTS_PER_S
        + size.settings.n_layer * _SECONDS_PER_LAYER
    )


def _report_of(measured: _Measured) -> SizeReport:
    speeds_of = {(way.where, way.name): tuple(found) for way, found in zip(measured.ways, measured.speeds, strict=True)}
    rounds = min((len(found) for found in speeds_of.values() if found), default=0)
    return SizeReport(
        name=measured.size.name,
        settings=measured.size.settings,
        parameters=count_parameters(measured.size.settings),
        rounds=rounds,
        core_share=measured.worked_s / measured.timed_s if measured.timed_s else None,
        texts=tuple(measured.texts),
        rows=tuple(_row(way, speeds_of) for way in measured.ways),
    )


def _row(way: Variant, speeds_of: dict[tuple[Where, str], tuple[float, ...]]) -> Row:
    speeds = speeds_of[way.where, way.name]
    base = speeds_of[INSIDE if way.where == BATCH else way.where, way.of] if way.of else ()
    foreign = speeds_of.get((way.where, HUGGING_FACE), ()) if way.name not in (NAIVE, HUGGING_FACE) else ()
    return Row(
        where=way.where,
        way=way.name,
        tokens=way.tokens,
        speeds=speeds,
        tokens_per_s=Spread.of(speeds),
        base=way.base,
        ratio=Spread.of_ratios(speeds, base),
        wanted=way.wanted,
        to_hugging_face=Spread.of_ratios(speeds, foreign),
        note=way.note,
    )
