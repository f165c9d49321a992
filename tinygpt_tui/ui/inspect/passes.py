"""A forward pass as a tree of parts, the rows that are open, and the wires between them. No Textual here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tinygpt_tui.events.generation import GenerationEvent
from tinygpt_tui.events.tracing import LensRow, TokenPlace, Traced, TraceStarted, TraceStep

MOST_LANES = 6  # wires beside the trunk; more would leave no room for the names


NOT_COMPARABLE = "not comparable: the head reads another width"


@dataclass(eq=False)
class Part:
    """A step, one head of it, or a part of the model with steps. `last` is the step whose tensor it passes on."""

    title: str
    depth: int
    last: TraceStep
    first: int  # the number of its first step
    step: TraceStep | None = None
    head: int | None = None
    parts: list[Part] = field(default_factory=list)
    above: Part | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """The same in every pass of the same model."""
        own = (self.title, self.head, None if self.step is None else self.step.number)
        return (*(self.above.key if self.above is not None else ()), own)

    @property
    def trail(self) -> tuple[str, ...]:
        return (*self.above.trail, self.above.title) if self.above is not None else ()

    def holds(self, number: int) -> bool:
        return self.first <= number <= self.last.number


class Row(NamedTuple):
    """A part as a row of the diagram."""

    part: Part
    is_open: bool


class Wire(NamedTuple):
    """A connection past neighbours: from row `start` to each of `ends`, in a lane of its own."""

    start: int
    ends: tuple[int, ...]
    lane: int


class Wiring(NamedTuple):
    """`straight` are the rows connected to the next one; `wires` are all other connections, in that many `lanes`."""

    straight: frozenset[int]
    wires: tuple[Wire, ...]
    lanes: int


class Pass:
    """Collects the events of one walk."""

    def __init__(self) -> None:
        self.started: TraceStarted | None = None
        self.steps: list[TraceStep] = []
        self.lens: list[LensRow] = []
        self.places: tuple[TokenPlace, ...] = ()  # of the vocabulary, on the map of its embeddings
        self.share = 0.0  # of their variance, that the map shows

    def add_events(self, events: Iterable[GenerationEvent]) -> bool:
        """Add the events of a walk; return whether there were any."""
        new = False
        for event in events:
            if isinstance(event, TraceStarted):
                self.started, new = event, True
            elif isinstance(event, Traced):
                self.steps += event.steps
                self.lens += event.lens
                if event.places:
                    self.places, self.share = event.places, event.share
                new = True
        return new

    @property
    def labels(self) -> tuple[str, ...]:
        """The tokens that the pictures show, as text."""
        started = self.started
        return started.tokens[len(started.tokens) - started.rows :] if started is not None else ()

    @property
    def attention(self) -> list[TraceStep]:
        """The steps that are attention weights, layer by layer."""
        return [step for step in self.steps if step.kind == "weights"]

    def lens_of(self, step: TraceStep) -> LensRow | None:
        """Return what would be predicted right after a step, if that is known."""
        if step.kind == "logits":
            return self.lens[-1] if self.lens else None
        return next((row for row in self.lens if row.step == step.number), None)


def tree_of(steps: Sequence[TraceStep]) -> list[Part]:
    """Return the parts of a pass, in order: neighbouring steps of the same part of the model are one."""
    return list(_parts(steps, 0, None))


def head_word(step: TraceStep) -> str:
    """Return what the second axis of a step with several pictures is."""
    return "sense" if step.symbols.startswith("B, S") else "head"


def _parts(steps: Sequence[TraceStep], depth: int, above: Part | None) -> Iterator[Part]:
    at = 0
    while at < len(steps):
        step = steps[at]
        if len(step.place) <= depth:
            part = Part(step.title, depth, step, step.number, step, above=above)
            if len(step.pictures) > 1:
                part.parts = [
                    Part(f"{head_word(step)} {head + 1}", depth + 1, step, step.number, step, head, above=part)
                    for head in range(len(step.pictures))
                ]
            yield part
            at += 1
            continue
        end = at
        while end < len(steps) and steps[end].place[: depth + 1] == step.place[: depth + 1]:
            end += 1
        part = Part(step.place[depth], depth, steps[end - 1], step.number, above=above)
        part.parts = list(_parts(steps[at:end], depth + 1, part))
        yield part
        at = end


def rows_of(parts: Iterable[Part], open_keys: set[tuple[object, ...]]) -> list[Row]:
    """Return the rows that are visible when the parts with these keys are open."""
    rows: list[Row] = []
    for part in parts:
        is_open = bool(part.parts) and part.key in open_keys
        rows.append(Row(part, is_open))
        if is_open:
            rows += rows_of(part.parts, open_keys)
    return rows


def wiring_of(rows: Sequence[Row], steps: Sequence[TraceStep]) -> Wiring:
    """Connect rows by the inputs of their steps, and put connections between distant rows in lanes."""
    targets: dict[int, set[int]] = {}
    places = {row.part: at for at, row in enumerate(rows)}
    shown = _shown(rows)
    for at, row in enumerate(rows):
        part = row.part
        if part.head is not None or (row.is_open and part.step is None):
            continue
        needed = {source for number in _numbers(part) for source in steps[number].inputs if not part.holds(source)}
        around = [outer for outer in _around(part) if outer in places]  # the innermost first
        for source in needed:
            to = at
            for outer in around:
                if outer.holds(source):
                    break
                targets.setdefault(places[outer], set()).add(to)
                to = places[outer]
            if source in shown:
                targets.setdefault(shown[source], set()).add(to)
    straight = frozenset(start for start, ends in targets.items() if start + 1 in ends)
    far = sorted((start, tuple(sorted(end for end in ends if end > start + 1))) for start, ends in targets.items())
    wires, taken = [], [-1] * MOST_LANES  # up to which row each lane is in use
    for start, ends in far:
        free = next((lane for lane in range(MOST_LANES) if taken[lane] < start), None)
        if ends and free is not None:
            taken[free] = ends[-1]
            wires.append(Wire(start, ends, free))
    return Wiring(straight, tuple(wires), 1 + max((wire.lane for wire in wires), default=-1))


def _shown(rows: Sequence[Row]) -> dict[int, int]:
    """Return for each step the row that passes on its tensor: its own, or that of the closed part that ends with it."""
    found: dict[int, int] = {}
    for at, row in enumerate(rows):
        if row.part.head is None and not (row.is_open and row.part.step is None):
            for number in _numbers(row.part):
                found[number] = at
    return found


def _numbers(part: Part) -> range:
    return range(part.first, part.last.number + 1)


def _around(part: Part) -> Iterator[Part]:
    outer = part.above
    while outer is not None:
        yield outer
        outer = outer.above
