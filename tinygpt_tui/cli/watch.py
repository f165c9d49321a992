"""tinygpt-tui watch: the live chart of a run, whichever process trains it; Ctrl-C leaves the run alone."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

from tinygpt_tui.cli.output import say
from tinygpt_tui.errors import ExitCode, NotFoundError
from tinygpt_tui.events.training import TrainingEvent
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.index import find_run, list_runs
from tinygpt_tui.workers.trainer import RunWatch

LOOK_S = 0.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "name", nargs="?", help="the run's name, as in `tinygpt-tui runs` (default: the newest run in training)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show a run until it ends; a past one at once. Raises NotFoundError."""
    from tinygpt_tui.cli.training_view import show

    run = find_run(arguments.name or _newest_live())
    try:
        return show(batches_of(run), run, footer="Ctrl-C ends this view; the run continues")
    except KeyboardInterrupt:
        name = run.model.name
        if RunWatch(run).alive():
            say(f"{name} continues; {own_command('watch', name)} shows it again, {own_command('stop', name)} ends it")
        return int(ExitCode.OK)


def batches_of(run: RunFolder) -> Iterator[Sequence[TrainingEvent]]:
    """Yield a run's events: all there are, then new ones several times a second until no trainer is left."""
    watch = RunWatch(run)
    while True:
        alive = watch.alive()  # before the journal: the last events of a trainer that ends now are still read
        yield watch.poll()
        if not alive:
            return
        time.sleep(LOOK_S)


def _newest_live() -> str:
    live = [card.name for card in list_runs() if card.live]
    if not live:
        raise NotFoundError("no run is being trained now", "`tinygpt-tui watch NAME` shows a past one")
    return live[0]
