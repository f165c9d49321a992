"""tinygpt-tui race: train several presets on one text, one after another, and compare them on one chart."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from tinygpt_tui import paths
from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.data import LEVEL_STYLE, SERIES_STYLES, Level, Series
from tinygpt_tui.charts.export import export_svg
from tinygpt_tui.cli.flags import add_corpus_flags
from tinygpt_tui.cli.output import is_plain, notify, table, write, write_data
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.files import check_new, write_text
from tinygpt_tui.packages import TRAINING, require
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.race import (
    LADDER_NAME,
    Contender,
    Result,
    contenders_of,
    model_name,
    result_of,
    with_time,
)
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.words import duration, printable, right_words

if TYPE_CHECKING:
    from tinygpt_tui.corpora.floors import Floor
    from tinygpt_tui.runs.folder import CorpusReference
    from tinygpt_tui.tokenizers.base import Tokenizer

HEIGHT, WIDTH = 24, 110
HEAD = ("NAME", "ARCHITECTURE", "PARAMETERS", "STEPS", "TIME", "VAL LOSS", "BITS", "PUBLISHED", "BETTER THAN")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        f"The presets are {', '.join(ALL_PRESETS)}. `{LADDER_NAME}` trains the lecture's stages one by one. Losses are "
        "nats per character, so that tokenizers can be compared: race modern modern@bpe:512 modern@bpe:4096"
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="PRESET",
        help=f"two or more presets, each with @TOKENIZER if it is not to read characters; or `{LADDER_NAME}`",
    )
    add_corpus_flags(parser, required=True)
    parser.add_argument("--name", default="race", help="prefix of the models' names (default: race)")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="steps for each (default: the preset's own)")
    parser.add_argument("--minutes", type=float, default=0.0, metavar="N", help="minutes for each")
    parser.add_argument(
        "--equal",
        choices=("parameters", "seconds"),
        help="make all models as large as the first, or train each for as long as the first takes",
    )
    parser.add_argument("--seed", type=int, help="seed for all (default: the presets' own)")
    parser.add_argument("--svg", type=paths.typed_path, metavar="FILE", help="save the chart as a picture")
    parser.add_argument("--force", action="store_true", help="overwrite the file of --svg")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of a chart and a table")


def run(arguments: argparse.Namespace) -> int:
    """Train them all, then print the results. Raises what starting a run can raise."""
    from tinygpt_tui.cli.reading import encode, open_corpus
    from tinygpt_tui.corpora.floors import floors_of
    from tinygpt_tui.corpora.read import is_pairs
    from tinygpt_tui.runs.new_run import reference
    from tinygpt_tui.training.vocabulary import tokenizer_for

    require("torch", TRAINING)
    _check(arguments)
    if arguments.svg:
        check_new(arguments.svg, arguments.force)
    entry, text = open_corpus(arguments)
    for note in text.notes:
        notify(note)
    known: dict[str, Tokenizer] = {}

    def size_of(tokenizer: str) -> int:
        if tokenizer not in known:
            known[tokenizer] = tokenizer_for(tokenizer, text)
        return known[tokenizer].size

    contenders = contenders_of(
        arguments.names,
        size_of,
        steps=arguments.steps,
        minutes=arguments.minutes,
        equal=arguments.equal,
    )
    for contender in contenders:  # fails before a folder is made
        encode(text, contender.training, known[contender.training.tokenizer])
    floors = []  # nothing that counts characters answers, or replies
    if text.roles is None and not is_pairs(entry.path or ""):
        corpus = encode(text, contenders[0].training)
        floors = floors_of(corpus.train, corpus.validation, corpus.tokenizer.size)
    histories: list[tuple[str, RunHistory]] = []
    results: list[Result] = []
    for number, contender in enumerate(contenders, start=1):
        if arguments.equal == "seconds" and results and not arguments.minutes:
            contender = with_time(contender, results[0].seconds)
        if arguments.seed is not None:
            seeded = msgspec.structs.replace(contender.training, seed=arguments.seed)
            contender = msgspec.structs.replace(contender, training=seeded)
        notify(f"{number}/{len(contenders)}  {contender.name}")
        history, model, stopped = _train(contender, arguments.name, reference(entry, text, arguments.encoding))
        histories.append((contender.name, history))
        results.append(result_of(contender, model, history))
        if stopped:
            notify("race stopped; the models trained so far are saved")
            break
    chart = chart_of(histories, floors, contenders, entry.row.title)
    if arguments.svg:
        write_text(arguments.svg, export_svg(chart, WIDTH, HEIGHT, "tinygpt-tui race"))
    if arguments.json:
        write_data(msgspec.json.encode(results).decode() + "\n")
    else:
        if not is_plain():
            Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH).print(chart)
        write(table_of(results, floors))
    return int(ExitCode.OK if all(result.reason != "failed" for result in results) else ExitCode.RUN)


def chart_of(
    histories: Sequence[tuple[str, RunHistory]], floors: Sequence[Floor], contenders: Sequence[Contender], title: str
) -> LossChart:
    """Return one chart of all validation losses, with the corpus's baselines and the published targets."""
    targets = [Level(f"{one.name}, published", one.target) for one in contenders if one.target is not None]
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
    """Return the results as a table, best first."""
    ranked = sorted(results, key=lambda one: (one.validation_loss is None, one.validation_loss))
    rows = [
        (
            one.name,
            one.architecture,
            f"{one.parameters:,}",
            f"{one.steps:,}",
            duration(one.seconds),
            "–" if one.validation_loss is None else _loss(one),
            "–" if one.validation_loss is None else f"{one.validation_loss / math.log(2):.4f}",
            "" if one.target is None else f"{one.target:g}",
            _beaten(one.validation_loss, floors) if one.right is None else right_words(one.right),
        )
        for one in ranked
    ]
    head = HEAD if all(one.right is None for one in results) else (*HEAD[:-1], "ANSWERS")
    return table(rows, head, right=frozenset({2, 3, 4, 5, 6, 7}))


def _loss(one: Result) -> str:
    """Return a loss per character and, where tokens are longer, per token."""
    loss, per = one.validation_loss or 0.0, one.characters_per_token
    return f"{loss:.4f}" + (f" ({loss * per:.4f} a token)" if per != 1.0 else "")


def _beaten(loss: float | None, floors: Sequence[Floor]) -> str:
    beaten = [floor for floor in floors if loss is not None and loss < floor.loss]
    return min(beaten, key=lambda floor: floor.loss).name if beaten else "none"


def _train(contender: Contender, prefix: str, corpus: CorpusReference) -> tuple[RunHistory, str, bool]:
    """Train one as `train` does; return its history, its name, and whether it was stopped early."""
    from tinygpt_tui.cli.train import train_here
    from tinygpt_tui.runs.index import create_run, free_name
    from tinygpt_tui.runs.journal import read_journal
    from tinygpt_tui.runs.new_run import new_run

    folder = create_run(new_run(free_name(f"{prefix}-{model_name(contender)}"), "", contender.training, corpus))
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the results
        train_here(folder)
    history = RunHistory(contender.training.steps)
    history.add(read_journal(folder.events))
    stopped = history.ended is None or history.ended.reason == "stopped"
    return history, folder.model.name, stopped


def _check(arguments: argparse.Namespace) -> None:
    """Raise UsageError for an invalid number."""
    typed = {name: value for name in ("steps", "minutes", "seed") if (value := getattr(arguments, name))}
    checked(TrainingSettings, typed)
