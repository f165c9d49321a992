"""Gives the engine its permits, at the pace that the user has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.widget import Widget

from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.permits import FIRST, FULL, PACES, Permits, dial, name_of, neighbour

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

TICKS_PER_S = 60
CANDIDATES = 10  # of each token while they are slow enough to be seen


class Pacer(Widget):
    """Invisible: paces a job, or several that are written in step. Below full speed each token brings `candidates`.

    `pace` is a name in PACES, or `first`: the first text is written slowly, all later ones at full speed.
    """

    DEFAULT_CSS = "Pacer { display: none; }"

    class Changed(Message):
        """The dial has changed, or the text was paused or continued."""

    class Chosen(Message):
        """`pace` is to be remembered."""

        pace: str

    def __init__(self, pace: str, candidates: int = CANDIDATES) -> None:
        super().__init__()
        self._next, self._candidates = pace, candidates
        self._permits = Permits(self._first_rate)
        self._jobs: Sequence[Job] = ()
        self._sent: int | None = None
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        """Have a timer for the permits; it rests while they do."""
        self._timer = self.set_interval(1 / TICKS_PER_S, self._give_permits, pause=True)

    @property
    def active(self) -> bool:
        return bool(self._jobs)

    @property
    def paused(self) -> bool:
        return self.active and self._permits.waiting

    @property
    def slow(self) -> bool:
        """Whether a text is being written so that each draw can be seen."""
        return self.active and self._permits.allowed is not None

    @property
    def one_by_one(self) -> bool:
        """Whether each token of a text needs a key."""
        return not self._permits.rate

    @property
    def dial(self) -> str:
        return dial(self._permits.rate, self.active and self._permits.paused)

    def first_permits(self, at_once: bool = False) -> int | None:
        """Begin a text; return what it is allowed at first. `at_once`: at full speed, whatever the pace."""
        self.end()
        self._permits = Permits(FULL if at_once else self._first_rate)
        if at_once:
            return None
        if self._next == "first":
            self._next = "full"
            self.post_message(self.Chosen(self._next))
        return None if self._permits.allowed is None else 0

    def follow(self, *jobs: Job) -> None:
        """Pace these jobs: each may draw the same number of tokens."""
        self._jobs, self._sent = jobs, None
        self._allow()

    def shown(self, tokens: int) -> None:
        self._permits.shown(tokens)

    def end(self) -> None:
        """The job needs no more permits."""
        if self.active:
            self._jobs = ()
            self._allow()

    def turn(self, direction: int) -> None:
        """Write faster (1) or slower (-1)."""
        rate = neighbour(self._permits.rate, direction)
        if rate == self._permits.rate:
            self.app.bell()
            return
        self._next = name_of(rate)
        self._permits.set_rate(rate)
        self.post_message(self.Chosen(self._next))
        self._allow()

    def pause(self) -> None:
        """Pause the text, or continue it; where each token needs a key, this is one."""
        if self.one_by_one:
            self.step()
        else:
            self._permits.pause(not self._permits.paused)
            self._allow()

    def step(self) -> None:
        """Let one more token be drawn."""
        self._permits.step()
        self._allow()

    @property
    def _first_rate(self) -> float:
        return FIRST if self._next == "first" else PACES.get(self._next, FULL)

    def _allow(self) -> None:
        """Tell the engine, and run the timer if permits come by themselves."""
        self._give_permits()
        if self._timer is not None:
            by_itself = self.slow and not self._permits.waiting
            (self._timer.resume if by_itself else self._timer.pause)()
        self.post_message(self.Changed())

    def _give_permits(self) -> None:
        if not self.active:
            return
        allowed = self._permits.due()
        if allowed != self._sent:
            for job in self._jobs:
                job.allow(allowed, 0 if allowed is None else self._candidates)
            self._sent = allowed
