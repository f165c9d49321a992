"""What any terminal can ask of a trainer, and waiting until it was done."""

from __future__ import annotations

import time
from typing import TypeVar

from tinygpt_tui.cli.output import say
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.events.training import RunEnded, TrainingEvent
from tinygpt_tui.platforms import own_command
from tinygpt_tui.workers.trainer import RunWatch

E = TypeVar("E", bound=TrainingEvent)
LOOK_S = 0.1
PATIENCE_S = 60.0  # a trainer may be importing, or in the middle of an evaluation


def answer(watch: RunWatch, kind: type[E], what: str) -> E | None:
    """Return the trainer's next event of `kind`; None, and a word about it, where it ends or takes too long.

    `watch` must have been polled before the wish, so that older events are not taken for its answer.
    """
    name = watch.run.model.name
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        for event in watch.poll():
            if isinstance(event, kind):
                return event
            if isinstance(event, RunEnded):
                say(f"{name} has ended meanwhile ({event.reason} at step {event.step})")
                return None
        if not watch.alive():
            say(f"the trainer of {name} is gone; `{own_command('resume', name)}` goes on")
            return None
        time.sleep(LOOK_S)
    say(f"asked {name} {what}; it has not come to it yet")
    return None


def code(event: TrainingEvent | None) -> int:
    """Return the exit code: whether the wish was seen to be done."""
    return int(ExitCode.RUN if event is None else ExitCode.OK)
