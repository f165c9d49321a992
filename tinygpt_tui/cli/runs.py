"""tinygpt-tui runs: list the trainings, live and past."""

from __future__ import annotations

import argparse
import time

import msgspec

from tinygpt_tui.cli.output import say, table, write
from tinygpt_tui.runs.index import list_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Print the runs' cards."""
    cards = list_runs()
    if arguments.json:
        write("".join(msgspec.json.encode(card).decode() + "\n" for card in cards))
        return 0
    if not cards:
        say("no trainings yet; begin one: tinygpt-tui train --corpus tales --name NAME")
        return 0
    rows = [
        (
            card.name,
            card.state,
            f"{card.step}/{card.steps}",
            card.corpus,
            card.preset,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(card.created)),
            card.message,
        )
        for card in cards
    ]
    write(table(rows, ("NAME", "STATE", "STEP", "CORPUS", "PRESET", "BEGUN", ""), right=frozenset({2})))
    return 0
