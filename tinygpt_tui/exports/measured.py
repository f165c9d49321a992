"""What a run measured, event by event, for programs that draw curves of their own; a follower of the journal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from tinygpt_tui.events.training import Evaluation, Step, TrainingEvent
from tinygpt_tui.runs.control import live_status
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import JournalFollower

LOOK_EVERY_S = 1.0


class Measured(NamedTuple):
    """The values of one event, by name, and after how many seconds of training they were measured."""

    step: int
    elapsed_s: float
    values: dict[str, float]


def measured(run: RunFolder, *, follow: bool = False) -> Iterator[Measured | None]:
    """Yield all that the journal tells, and with `follow` what comes until the run ends; None: that is all for now."""
    journal, elapsed_s = JournalFollower(run.events), 0.0
    while True:
        live = live_status(run) is not None
        for event in journal.poll():
            if isinstance(event, Step):
                elapsed_s = event.elapsed_s
            if values := dict(scalars(event)):
                yield Measured(event.step, elapsed_s, values)
        if not follow or not live:
            return
        yield None
        time.sleep(LOOK_EVERY_S)


def scalars(event: TrainingEvent) -> Iterator[tuple[str, float]]:
    """Yield name and value of what an event measured."""
    if isinstance(event, Step):
        yield "loss/train", event.loss
        yield "learning_rate", event.learning_rate
        yield "gradient_norm", event.gradient_norm
        yield "tokens_per_s", event.tokens_per_s
    elif isinstance(event, Evaluation):
        yield "loss/validation", event.validation_loss
