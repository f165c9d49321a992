"""tinygpt-tui stop: end a training and keep its best weights."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli.output import say
from tinygpt_tui.runs.control import control_of_live
from tinygpt_tui.runs.index import find_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", help="the run's name, as in `tinygpt-tui runs`")


def run(arguments: argparse.Namespace) -> int:
    """Ask the trainer to end. Raises NotFoundError, RunError."""
    control = control_of_live(find_run(arguments.name))
    again = control.pending("stop")
    control.send("stop")
    if again:
        say(f"{arguments.name} was asked to stop already; it will, after what it is at")
        return 0
    say(f"asked {arguments.name} to stop; it evaluates once more and keeps its best weights")
    return 0
