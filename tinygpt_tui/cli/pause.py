"""tinygpt-tui pause: have a training wait in memory."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli.output import say
from tinygpt_tui.cli.wishes import answer, code
from tinygpt_tui.events.training import Paused
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import status_of_live
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.workers.trainer import RunWatch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", help="the run's name, as in `tinygpt-tui runs`")


def run(arguments: argparse.Namespace) -> int:
    """Ask the trainer to pause, and wait until it does. Raises NotFoundError, RunError."""
    name = arguments.name
    watch = RunWatch(find_run(name))
    status = status_of_live(watch.run)
    if status.state == "paused":
        why = f": {status.message}" if status.message else f"; `{own_command('resume', name)}` lets it go on"
        say(f"{name} is paused already, at step {status.step}{why}")
        return 0
    watch.poll()
    watch.pause()
    event = answer(watch, Paused, "to pause")
    if event is not None:
        say(f"{name} is paused at step {event.step} and its state is saved; {own_command('resume', name)} continues it")
    return code(event)
