"""tinygpt-tui resume: go on with a training that was stopped, or whose process died."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli.train import help_here, is_helper, train_here
from tinygpt_tui.runs.index import find_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", help="the run's name, as in `tinygpt-tui runs`")


def run(arguments: argparse.Namespace) -> int:
    """Go on exactly where the run was left, in this process. Raises NotFoundError, RunError."""
    return help_here() if is_helper() else train_here(find_run(arguments.name))
