"""tinygpt-tui stop, pause, save, sample: control a run's trainer from any terminal.

Each sends a command through the run's control folder; all but `stop` wait until the trainer reports that it is done.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tinygpt_tui.cli.output import notify, write_data
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.events.training import Paused, RunEnded, Sample, Saved, TrainingEvent
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import Control, status_of_live
from tinygpt_tui.runs.folder import RunStatus
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.workers.trainer import RunWatch

E = TypeVar("E", bound=TrainingEvent)
POLL_S = 0.1
PATIENCE_S = 60.0  # a trainer may be importing torch, or in the middle of an evaluation


class Action(NamedTuple):
    """A command: how it is sent, the event that reports it done (None: do not wait), and the sentences about it."""

    send: Callable[[RunWatch], None]
    request: str
    reported_by: type[Paused | Saved | Sample] | None
    done: str


ACTIONS = {
    "stop": Action(RunWatch.stop, "stop", None, "asked {name} to stop: it evaluates, then saves its best weights"),
    "pause": Action(
        RunWatch.pause, "pause", Paused, "{name} is paused at step {step}, its state is saved; to continue: {resume}"
    ),
    "save": Action(RunWatch.save, "save its state", Saved, "saved the state of {name} after step {step}: {state}"),
    "sample": Action(RunWatch.sample, "write a sample", Sample, "{name} after step {step}:"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments, the same for each of the commands."""
    parser.add_argument("name", help="name of a live run, as `tinygpt-tui runs` lists it")


def run(arguments: argparse.Namespace) -> int:
    """Send the command and wait for its report. Raises NotFoundError, RunError."""
    name, action = arguments.name, ACTIONS[arguments.command]
    watch = RunWatch(find_run(name))
    if said := _already(watch, arguments.command, status_of_live(watch.run)):
        notify(said)
        return int(ExitCode.OK)
    watch.poll()
    action.send(watch)
    event = None
    if action.reported_by is not None:
        event = await_report(watch, action.reported_by, action.request)
        if event is None:
            return int(ExitCode.RUN)
    step = 0 if event is None else event.step
    notify(action.done.format(name=name, step=step, state=watch.run.resume, resume=own_command("resume", name)))
    if isinstance(event, Sample):
        write_data(f"{event.text}\n")
    return int(ExitCode.OK)


def _already(watch: RunWatch, command: str, status: RunStatus) -> str:
    """Return why the command need not be sent; empty if it must be."""
    name = watch.run.model.name
    if command == "stop" and Control(watch.run.control).pending("stop"):
        return f"{name} was asked to stop before; it stops after its current step or evaluation"
    if command == "pause" and status.state == "paused":
        why = f": {status.message}" if status.message else f"; to continue: {own_command('resume', name)}"
        return f"{name} is already paused at step {status.step}{why}"
    return ""


def await_report(watch: RunWatch, kind: type[E], request: str) -> E | None:
    """Return the trainer's next event of `kind`; None, after saying why, if it ends or takes too long.

    `watch` must have been polled before the command was sent, so that no older event is returned.
    """
    name = watch.run.model.name
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        for event in watch.poll():
            if isinstance(event, kind):
                return event
            if isinstance(event, RunEnded):
                notify(f"{name} ended before that ({event.reason} at step {event.step})")
                return None
        if not watch.alive():
            notify(f"the trainer of {name} is not running any more; to continue: {own_command('resume', name)}")
            return None
        time.sleep(POLL_S)
    notify(f"asked {name} to {request}; no answer within {PATIENCE_S:.0f} s, it will follow later")
    return None
