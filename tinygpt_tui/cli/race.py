"""tinygpt-tui race: train several nets on one text, one after another, and see them on one chart."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from tinygpt_tui import paths
from tinygpt_tui.charts import LEVEL_STYLE, SERIES_STYLES, Level, LossChart, Series, export_svg
from tinygpt_tui.cli.flags import add_encoding_flag
from tinygpt_tui.cli.output import say, table, write, write_data
from tinygpt_tui.errors import ExitCode, NotFoundError
from tinygpt_tui.files import check_new, write_text
from tinygpt_tui.packages import TRAINING, require
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.race import LADDER_NAME, Entrant, Result, entrants_of, for_so_long, result_of
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.words import duration, printable

if TYPE_CHECKING:
    from tinygpt_tui.corpora.floors import Floor
    from tinygpt_tui.runs.folder import CorpusReference

HEIGHT, WIDTH = 24, 110
HEAD = ("NAME", "ARCHITECTURE", "PARAMETERS", "STEPS", "TIME", "VAL LOSS", "PUBLISHED", "BETTER THAN")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = f"The presets are {', '.join(ALL_PRESETS)}. `{LADDER_NAME}` is the lecture's stages, one by one."
    parser.add_argument("names", nargs="+", metavar="PRESET", help=f"two or more presets, or {LADDER_NAME}")
    parser.add_argument("--corpus", required=True, metavar="NAME|FILE", help="`tinygpt-tui data`, or any text file")
    add_encoding_flag(parser)
    parser.add_argument("--name", default="race", help="what the models' names begin with (default: race)")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="as many steps for each (default: its own)")
    parser.add_argument("--minutes", type=float, default=0.0, metavar="N", help="as many minutes for each")
    parser.add_argument(
        "--equal",
        choices=("parameters", "seconds"),
        help="make all nets as large as the first, or give all the time that the first takes",
    )
    parser.add_argument("--seed", type=int, help="the seed of all (default: the presets' own)")
    parser.add_argument("--svg", type=paths.typed_path, metavar="FILE", help="keep the chart as a picture")
    parser.add_argument("--force", action="store_true", help="replace the file of --svg")
    parser.add_argument("--json", action="store_true", help="the results as JSON instead of a chart and a table")


def run(arguments: argparse.Namespace) -> int:
    """Train them all, then show how they did. Raises every error that a training can begin with."""
    from tinygpt_tui.cli.reading import read_corpus_text
    from tinygpt_tui.corpora.catalog import find_corpus
    from tinygpt_tui.corpora.corpus import split
    from tinygpt_tui.corpora.floors import floors_of
    from tinygpt_tui.runs.new_run import reference

    require("torch", TRAINING)
    _check(arguments)
    if arguments.svg:
        check_new(arguments.svg, arguments.force)
    entry = find_corpus(arguments.corpus)
    if entry.path is None:
        raise NotFoundError(
            f"{entry.row.title} is not on this machine yet", own_command("data", "--download", entry.name)
        )
    text = read_corpus_text(Path(entry.path), arguments.encoding)
    for note in text.notes:
        say(note)
    corpus = split(text.text, 1, 0.1)
    entrants = entrants_of(
        arguments.names,
        corpus.tokenizer.size,
        steps=arguments.steps,
        minutes=arguments.minutes,
        equal=arguments.equal,
    )
    for entrant in entrants:  # a bad text makes no folder
        split(text.text, entrant.training.architecture.training_length, entrant.training.validation_share)
    floors = floors_of(corpus.train, corpus.validation, corpus.tokenizer.size)
    histories: list[tuple[str, RunHistory]] = []
    results: list[Result] = []
    for number, entrant in enumerate(entrants, start=1):
        if arguments.equal == "seconds" and results and not arguments.minutes:
            entrant = for_so_long(entrant, results[0].seconds)
        if arguments.seed is not None:
            seeded = msgspec.structs.replace(entrant.training, seed=arguments.seed)
            entrant = msgspec.structs.replace(entrant, training=seeded)
        say(f"{number}/{len(entrants)}  {entrant.name}")
        history, model, stopped = _train(entrant, arguments.name, reference(entry, text, arguments.encoding))
        histories.append((entrant.name, history))
        results.append(result_of(entrant, model, history))
        if stopped:
            say("the race ends here; what was trained is kept")
            break
    chart = chart_of(histories, floors, entrants, entry.row.title)
    if arguments.svg:
        write_text(arguments.svg, export_svg(chart, WIDTH, HEIGHT, "tinygpt-tui race"))
    if arguments.json:
        write_data(msgspec.json.encode(results).decode() + "\n")
    else:
        Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH).print(chart)
        write(table_of(results, floors))
    return int(ExitCode.OK if all(result.reason != "failed" for result in results) else ExitCode.RUN)


def chart_of(
    histories: Sequence[tuple[str, RunHistory]], floors: Sequence[Floor], entrants: Sequence[Entrant], title: str
) -> LossChart:
    """Return one chart of all validation losses, with the corpus's yardsticks and the published targets."""
    targets = [Level(f"{one.name}, published", one.target) for one in entrants if one.target is not None]
    return LossChart(
        series=tuple(
            Series(name, *history.validation_losses, style=SERIES_STYLES[i % len(SERIES_STYLES)], kind="points")
            for i, (name, history) in enumerate(histories)
        ),
        levels=(*(Level(floor.name, floor.loss, LEVEL_STYLE) for floor in floors[1:]), *targets),
        title=printable(title, lines=False),
        height=HEIGHT,
    )


def table_of(results: Sequence[Result], floors: Sequence[Floor]) -> str:
    """Return how all did, the best first."""
    ranked = sorted(results, key=lambda one: (one.validation_loss is None, one.validation_loss))
    rows = [
        (
            one.name,
            one.architecture,
            f"{one.parameters:,}",
            f"{one.steps:,}",
            duration(one.seconds),
            "–" if one.validation_loss is None else f"{one.validation_loss:.4f}",
            "" if one.target is None else f"{one.target:g}",
            _beaten(one.validation_loss, floors),
        )
        for one in ranked
    ]
    return table(rows, HEAD, right=frozenset({2, 3, 4, 5, 6}))


def _beaten(loss: float | None, floors: Sequence[Floor]) -> str:
    beaten = [floor for floor in floors if loss is not None and loss < floor.loss]
    return min(beaten, key=lambda floor: floor.loss).name if beaten else "nobody"


def _train(entrant: Entrant, prefix: str, corpus: CorpusReference) -> tuple[RunHistory, str, bool]:
    """Train one here, shown as `train` shows it; return its history, its name, and whether somebody stopped it."""
    from tinygpt_tui.cli.train import train_here
    from tinygpt_tui.runs.index import create_run, free_name
    from tinygpt_tui.runs.journal import read_journal
    from tinygpt_tui.runs.new_run import new_run

    folder = create_run(new_run(free_name(f"{prefix}-{entrant.name}"), "", entrant.training, corpus))
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the results
        train_here(folder)
    history = RunHistory(entrant.training.steps)
    history.add(read_journal(folder.events))
    stopped = history.ended is None or history.ended.reason == "stopped"
    return history, folder.model.name, stopped


def _check(arguments: argparse.Namespace) -> None:
    """Raise UsageError where a number cannot be."""
    typed = {name: value for name in ("steps", "minutes", "seed") if (value := getattr(arguments, name))}
    checked(TrainingSettings, typed)
