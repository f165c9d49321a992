"""tinygpt-tui sample: have a model in training write something now."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli.output import say, write_data
from tinygpt_tui.cli.wishes import answer, code
from tinygpt_tui.events.training import Sample
from tinygpt_tui.runs.control import status_of_live
from tinygpt_tui.runs.index import find_run
from tinygpt_tui.workers.trainer import RunWatch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", help="the run's name, as in `tinygpt-tui runs`")


def run(arguments: argparse.Namespace) -> int:
    """Ask the trainer for a sample and print it: the text goes to stdout. Raises NotFoundError, RunError."""
    watch = RunWatch(find_run(arguments.name))
    status_of_live(watch.run)
    watch.poll()
    watch.sample()
    event = answer(watch, Sample, "to write a sample")
    if event is not None:
        say(f"{arguments.name} after step {event.step}:")
        write_data(f"{event.text}\n")
    return code(event)
