"""What the user asks of a run while it trains: stop, pause, save, sample."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from tinygpt_tui.events.training import Note, Paused, Resumed, TrainingEvent
from tinygpt_tui.planning.time_budget import TimeBudget
from tinygpt_tui.platforms import interruptible
from tinygpt_tui.runs.control import Command, Control

PAUSE_POLL_S = 0.1
STOP_S = 1.0  # an evaluation that takes longer after a stop ends with what it has read
SLOW_S = 0.3  # what takes longer than this may be abandoned half way when the run is to stop

R = TypeVar("R")


class Stopping(BaseException):
    """A stop came while something that takes long was computed: it is undone. No Exception: libraries catch those."""


class Commands:
    """The commands of a control folder; without one there are none."""

    def __init__(self, control: Control | None = None) -> None:
        self.stopped = False
        self._control = control
        self._stopped_at = math.inf  # time.monotonic()

    @property
    def is_late(self) -> bool:
        """Whether the stop is so old that everything still due must wait until the run is resumed."""
        if self._stopped_at == math.inf and self.pending("stop"):
            self._stopped_at = time.monotonic()
        return time.monotonic() - self._stopped_at > STOP_S

    def pending(self, command: Command) -> bool:
        """Whether `command` was sent and is not consumed yet."""
        return self._control is not None and self._control.pending(command)

    def consume(self, command: Command) -> bool:
        """Consume `command`; return whether it was sent."""
        return self._control is not None and self._control.consume(command)

    def stop(self) -> None:
        """End the run after the evaluation that is still due."""
        self.stopped, self._stopped_at = True, min(self._stopped_at, time.monotonic())

    def abandonable(self) -> AbstractContextManager[None]:
        """Return a context that raises Stopping in its block once a stop comes."""
        return interruptible(lambda: self.pending("stop"), Stopping)

    def until_late(self, pieces: Iterable[R]) -> Iterator[R]:
        """Yield `pieces` until the stop is late, also in the middle of a piece that takes long."""
        rest, took_s = iter(pieces), math.inf
        while not self.is_late:
            began = time.monotonic()
            try:
                with interruptible(lambda: self.is_late, Stopping) if took_s > SLOW_S else nullcontext():
                    piece = next(rest)
            except StopIteration:
                return
            except Stopping:
                break
            took_s = time.monotonic() - began
            yield piece
        if self.consume("stop"):
            self.stop()

    def obey(
        self, step: int, time_budget: TimeBudget, sample: Callable[[], Iterator[TrainingEvent]]
    ) -> Iterator[TrainingEvent]:
        """Do what was sent, between two steps: write a sample, wait while the run is paused, note a stop."""
        if self.consume("sample"):
            yield from sample()
        if self._is_paused():
            time_budget.stop_clock()
            yield Paused(step)
            while self._is_paused():
                time.sleep(PAUSE_POLL_S)
                if self.consume("sample"):
                    yield from sample()
                if self.pending("save"):  # the caller does it, between two events
                    yield Note(step, "asked to save the state")
            time_budget.start_clock()
            yield Resumed(step)
        if self.consume("stop"):
            self.stop()

    def _is_paused(self) -> bool:
        return self.pending("pause") and not self.pending("stop")
