"""What a benchmark of training found, as plain data: what is printed, and what `--json` writes. No torch here."""

from __future__ import annotations

import msgspec

from tinygpt_tui.measuring.report import Machine, Spread


class TrainingRun(msgspec.Struct, frozen=True, kw_only=True):
    """One training to its end.

    `seconds` is the processor's time in the steps alone; `whole_s` the time by the clock from making the net to the
    last sample, evaluations with it; `besides` the share of the work after that making which was not in the steps.
    """

    seed: int
    steps: int
    loss: float  # over the whole validation split, each token predicted once
    seconds: float
    whole_s: float
    besides: float = 0.0


class GoalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe's runs, one a seed; `ratio` is the plain recipe's seconds of the same round to its own."""

    name: str
    preset: str
    parameters: int
    runs: tuple[TrainingRun, ...]
    wanted_loss: float
    wanted_times: float | None = None
    wanted_s: float | None = None
    loss: Spread | None = None
    seconds: Spread | None = None
    ratio: Spread | None = None

    @property
    def met(self) -> bool | None:
        """Whether every run reached the loss and the medians the speed; None where nothing is wanted or measured."""
        if self.loss is None or self.seconds is None or (self.wanted_times is None and self.wanted_s is None):
            return None
        if self.loss.high > self.wanted_loss:
            return False
        if self.wanted_times is not None:
            return None if self.ratio is None else self.ratio.median >= self.wanted_times
        return self.wanted_s is not None and self.seconds.median <= self.wanted_s


class LoopRow(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens a second of one loop on one net; `ratio` is to the plain loop in the same round."""

    size: str
    way: str
    speeds: tuple[float, ...] = ()
    tokens_per_s: Spread | None = None
    ratio: Spread | None = None
    wanted: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the median is fast enough; None where nothing is wanted."""
        return None if self.wanted is None or self.ratio is None else self.ratio.median >= self.wanted


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole benchmark; `core_share` is how much of its core this process had."""

    machine: Machine
    corpus: str
    characters: int
    native: bool  # whether the native parts were there
    seconds: float
    core_share: float | None
    finished: bool
    loop: tuple[LoopRow, ...]
    goals: tuple[GoalRow, ...]
