"""How many steps a run has, and the position of each in its schedule: by the settings, or by the clock.

A timed run does not know beforehand how many steps fit. It plans: the time that is left, less what the remaining
evaluations will take (the last one may read more than the others), divided by what a step has taken lately. The first
plans come early (after 1, 2, 4 … steps), later ones each time a fortieth of the time is over, because the machine's
speed varies. A plan is saved in the run's state and in its journal: a resumed run continues with it.

The time from the first step to the end counts, with evaluations, samples and writing to the disk, but without pauses.
What comes before the first step (reading the text, measuring the machine, evaluating the untrained model) does not.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import fmean, median
from typing import Any

from tinygpt_tui.events.training import Planned
from tinygpt_tui.settings.training import TrainingSettings

YOUNG_SHARE = 0.02  # of the time: until then a plan is a guess, and each one replaces the whole schedule
PLANS = 40  # about this many after that
RECENT_STEPS = 64  # whose mean predicts the next ones
OUTLIER = 8.0  # times the median: compiling, a closed lid; it will not happen again
EVALUATIONS_SHARE = 0.05  # of the time may go into evaluations …
FEWEST, MOST = 3, 25  # … but a curve needs points


class TimeBudget:
    """`steps` is the current plan; `place` gives the position of a step in a schedule of that many steps."""

    def __init__(self, settings: TrainingSettings, clock: Callable[[], float] | None = None) -> None:
        """Without `minutes` the plan is `settings.steps` and never changes."""
        self.steps = settings.steps
        self.budget_s = settings.minutes * 60
        self.used_s = 0.0
        self._clock = clock or time.perf_counter
        self._last: float | None = None
        self._anchor, self._anchor_place = 0, 0.0  # a step, and which share of the schedule was over before it
        self._evaluations = self._passed = 0  # how many there will be, and the last one's number
        self._planned_at_s = 0.0
        self._step_s: deque[float] = deque(maxlen=RECENT_STEPS)
        self._evaluation_s: deque[float] = deque(maxlen=3)
        self._longer_s = 0.0  # that the end takes more than another evaluation
        self._just_evaluated = False

    @property
    def timed(self) -> bool:
        """Whether the clock decides when the run ends."""
        return self.budget_s > 0

    def place(self, step: int) -> float:
        """Return the position of `step` in a schedule of `steps` steps: the step itself, unless plans have changed."""
        if not self._anchor:
            return step
        share = (step - self._anchor) / max(1, self.steps - self._anchor)
        return (self._anchor_place + (1 - self._anchor_place) * share) * self.steps

    def evaluation_due(self, step: int) -> bool:
        """Whether an evaluation comes after `step` steps, if the clock spaces them."""
        if step >= self.steps:
            return True
        return bool(self._anchor) and self._passed_by(step) > self._passed

    def start_clock(self) -> None:
        """Start the clock, or start it again."""
        self._last = self._clock()

    def stop_clock(self) -> None:
        """Stop the clock for a pause, whose time does not count."""
        self._tick()
        self._last = None

    def evaluated(self, step: int) -> None:
        """Note that an evaluation has ended; the one before the first step is measured, but uses no time."""
        seconds = self._tick()
        self._passed = self._passed_by(step)
        if step:
            self._just_evaluated = True
        else:
            self.used_s = 0.0
        if seconds is not None:
            self._evaluation_s.append(seconds)

    def end_takes_longer(self, seconds: float) -> None:
        """Note how many `seconds` more the end takes than another evaluation: it reads more, and may calibrate."""
        self._longer_s = seconds

    def stepped(self, step: int) -> Planned | None:
        """Count a step; return the new plan if it was time to make one."""
        seconds = self._tick()
        if seconds is not None:
            self._learn(seconds)
        first = not self._planned_at_s
        if not self.timed or not self._step_s or (step >= self.steps and not first):
            return None
        young = self.used_s < YOUNG_SHARE * self.budget_s
        if self._anchor:
            due = self.used_s - self._planned_at_s >= self.budget_s / PLANS
        else:
            due = first or not young or step & (step - 1) == 0
        return self._plan(step, young) if due else None

    def state(self) -> dict[str, Any]:
        """Return the plan and the time used, plain data only."""
        return {
            "steps": self.steps,
            "used_s": self.used_s,
            "anchor": self._anchor,
            "anchor_place": self._anchor_place,
            "evaluations": self._evaluations,
            "passed": self._passed,
            "planned_at_s": self._planned_at_s,
            "step_s": list(self._step_s),
            "evaluation_s": list(self._evaluation_s),
            "longer_s": self._longer_s,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue with the plan of a saved state; a run with a set number of steps has none."""
        if not self.timed:
            return
        self.steps, self.used_s = state["steps"], state["used_s"]
        self._anchor, self._anchor_place = state["anchor"], state["anchor_place"]
        self._evaluations, self._passed = state["evaluations"], state["passed"]
        self._planned_at_s = state["planned_at_s"]
        self._step_s.extend(state["step_s"])
        self._evaluation_s.extend(state["evaluation_s"])
        self._longer_s = state.get("longer_s", 0.0)

    def _passed_by(self, step: int) -> int:
        return int(self.place(step) / self.steps * self._evaluations) if self.timed else 0

    def _tick(self) -> float | None:
        """Count and return the time since the last call; None if the clock did not run."""
        if self._last is None:
            return None
        now = self._clock()
        seconds = now - self._last
        self._last = now
        self.used_s += seconds
        return seconds

    def _learn(self, seconds: float) -> None:
        typical = median(self._step_s) if self._step_s else seconds
        if self._just_evaluated and self._evaluation_s:
            # Writing to the disk after the evaluation fell into this step.
            self._just_evaluated = False
            self._evaluation_s[-1] += max(0.0, seconds - typical)
        elif seconds < OUTLIER * typical:
            self._step_s.append(seconds)

    def _plan(self, step: int, young: bool) -> Planned | None:
        recent = list(self._step_s)
        if len(recent) > 2 and young:
            recent = recent[1:]  # the first step of all warms up
        step_s = max(fmean(recent), 1e-9)
        evaluation_s = fmean(self._evaluation_s) if self._evaluation_s else 0.0
        share = self.place(step) / self.steps
        if not self._anchor:
            afford = (EVALUATIONS_SHARE * self.budget_s - self._longer_s) / max(evaluation_s, 1e-9)
            self._evaluations, share = int(min(max(afford, FEWEST), MOST)), 0.0
        to_come = self._evaluations - int(share * self._evaluations)
        left_s = self.budget_s - self.used_s - to_come * evaluation_s - self._longer_s
        steps = step + max(0, round(left_s / step_s))
        if not young:
            # From here on the finished part of the schedule is fixed; only the rest is stretched or compressed.
            self._anchor_place = share if self._anchor else step / steps
            self._anchor = step
        self.steps, self._planned_at_s = steps, self.used_s
        return Planned(step=step, steps=steps, step_s=step_s)
