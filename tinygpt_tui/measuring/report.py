"""What a benchmark of generation found, as plain data: what is printed, and what `--json` writes. No torch here."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec

from tinygpt_tui.measuring.sizes import Where
from tinygpt_tui.settings.architecture import GPTSettings

Base = Literal["naive", "one at a time", "llama.cpp", "llama.cpp Q8_0"]


class Spread(msgspec.Struct, frozen=True):
    """The median over the rounds, and the lowest and highest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Return the spread of `values`, None of none.

        >>> Spread.of([2.0, 9.0, 1.0])
        Spread(median=2.0, low=1.0, high=9.0)
        """
        return cls(statistics.median(values), min(values), max(values)) if values else None

    @classmethod
    def of_ratios(cls, values: Sequence[float], bases: Sequence[float]) -> Spread | None:
        """Return the spread of each round's own ratio; a round that only one of them has finished is left out.

        >>> Spread.of_ratios([2.0, 9.0, 1.0], [1.0, 3.0])
        Spread(median=2.5, low=2.0, high=3.0)
        """
        return cls.of([value / base for value, base in zip(values, bases, strict=False)])


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One way of generating in one place.

    `ratio` is to `base` in the same round, `to_hugging_face` to Hugging Face's; `wanted` is the least that `ratio`
    should be, where something is wanted. `note` says why there are no figures.
    """

    where: Where
    way: str
    tokens: int  # of one text in a turn; short turns are repeated
    speeds: tuple[float, ...] = ()  # tokens/s, round by round
    tokens_per_s: Spread | None = None
    base: Base | None = None
    ratio: Spread | None = None
    wanted: float | None = None
    to_hugging_face: Spread | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median ratio is what is wanted; None where nothing is wanted, or nothing was measured."""
        return None if self.ratio is None or self.wanted is None else self.ratio.median >= self.wanted


class TextCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a way's greedy text is another's, id for id: naive's across the window's edge, llama.cpp's inside it.

    `differs_at` is the first token (from 0) that is another one; `gap` is how far apart the two highest logits were
    there: close to 0, rounding decided. `different` says how many different ids the other's text has.
    """

    way: str
    of: str = "naive"
    tokens: int
    different: int
    approximate: bool = False  # rounded weights: it may differ
    differs_at: int | None = None
    gap: float | None = None

    @property
    def same(self) -> bool:
        """Whether no token differs."""
        return self.differs_at is None


class SizeReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found for one size.

    `core_share` is how much of its core this process had while it was timed: well below 1, others ran there as well.
    """

    name: str
    settings: GPTSettings
    parameters: int
    rounds: int  # whole ones
    core_share: float | None = None
    texts: tuple[TextCheck, ...]
    rows: tuple[Row, ...]


class FirstToken(msgspec.Struct, frozen=True, kw_only=True):
    """From the start of `tinygpt-tui generate` to the first byte of text, in seconds."""

    way: str
    model: str
    seconds: Spread | None = None
    wanted_s: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median is short enough; None where nothing is wanted, or nothing was measured."""
        return None if self.seconds is None or self.wanted_s is None else self.seconds.median <= self.wanted_s


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured, and with what. `load` is the system's load average of a minute as the measuring began."""

    system: str
    processor: str
    cores: int
    pinned_to_core: int | None
    threads: int
    load: float | None
    versions: dict[str, str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole benchmark; `finished` is False where it was interrupted."""

    machine: Machine
    rounds: int
    seconds: float
    finished: bool
    sizes: tuple[SizeReport, ...]
    first_token: tuple[FirstToken, ...]
