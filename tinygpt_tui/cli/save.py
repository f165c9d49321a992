"""tinygpt-tui save: keep the state of a training now."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli.output import say
from tinygpt_tui.cli.wishes import answer, code
from tinygpt_tui.events.training import Saved
from tinygpt_tui.runs.control import status_of_live
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.workers.trainer import RunWatch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", help="the run's name, as in `tinygpt-tui runs`")


def run(arguments: argparse.Namespace) -> int:
    """Ask the trainer to save its state, and wait until it did. Raises NotFoundError, RunError."""
    watch = RunWatch(find_run(arguments.name))
    status_of_live(watch.run)
    watch.poll()
    watch.save()
    event = answer(watch, Saved, "to save its state")
    if event is not None:
        say(f"the state of {arguments.name} after step {event.step} is in {watch.run.resume}")
    return code(event)
