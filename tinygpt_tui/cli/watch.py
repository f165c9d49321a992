"""tinygpt-tui watch: show the live chart of a run; Ctrl-C leaves the run running."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

from tinygpt_tui.cli.output import notify
from tinygpt_tui.errors import ExitCode, NotFoundError
from tinygpt_tui.events.training import TrainingEvent
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.index import find_run, list_runs
from tinygpt_tui.workers.trainer import RunWatch

POLL_S = 0.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", help="name of a run, as `tinygpt-tui runs` lists it (default: the newest live run)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show a run until it ends, or a past run. Raises NotFoundError."""
    from tinygpt_tui.cli.training_view import show_run

    run = find_run(arguments.name or _newest_live())
    try:
        footer = "Ctrl-C closes this view; the run continues" if RunWatch(run).alive() else ""
        return show_run(batches_of(run), run, footer=footer)
    except KeyboardInterrupt:
        name = run.model.name
        if RunWatch(run).alive():
            notify(
                f"{name} continues; {own_command('watch', name)} shows it again, {own_command('stop', name)} ends it"
            )
        return int(ExitCode.OK)


def batches_of(run: RunFolder) -> Iterator[Sequence[TrainingEvent]]:
    """Yield a run's events so far, then new ones several times a second until its trainer ends."""
    watch = RunWatch(run)
    while True:
        alive = watch.alive()  # before polling, so that the last events of a trainer that ends now are read
        yield watch.poll()
        if not alive:
            return
        time.sleep(POLL_S)


def _newest_live() -> str:
    live = [card.name for card in list_runs() if card.live]
    if not live:
        raise NotFoundError("no run is live", "`tinygpt-tui watch NAME` shows a past run")
    return live[0]
