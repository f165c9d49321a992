"""What a benchmark of the architectures found, as plain data: what is printed, and what `--json` writes. No torch."""

from __future__ import annotations

import msgspec

from tinygpt_tui.measuring.report import Machine


class FamilyRun(msgspec.Struct, frozen=True, kw_only=True):
    """One training of one net.

    `seconds` are the processor's, in the steps alone; `loss` is over the whole validation split.
    """

    net: str
    parameters: int
    steps: int
    characters: int  # that were read, with repetitions
    seconds: float
    loss: float


class Yardstick(msgspec.Struct, frozen=True):
    """What counting reaches on the same text."""

    name: str
    loss: float


class FamilyReport(msgspec.Struct, frozen=True, kw_only=True):
    """All runs: `in_time` those of `seconds` each, `of_text` those over `characters` each."""

    machine: Machine
    corpus: str
    seed: int
    seconds: float
    characters: int
    took_s: float
    core_share: float
    finished: bool
    in_time: tuple[FamilyRun, ...]
    of_text: tuple[FamilyRun, ...]
    yardsticks: tuple[Yardstick, ...]
