"""python -m benchmarks.window: what a faster window, int8 weights and adapting to the text change in a model's loss."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmarks.command import execute, read_corpus
from tinygpt_tui.cli.bench_progress import measured
from tinygpt_tui.cli.output import table
from tinygpt_tui.errors import UsageError

if TYPE_CHECKING:
    from benchmarks.measure.adaptive_loss import AdaptiveReport
    from benchmarks.measure.window_loss import WindowReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", help="a model's name (`tinygpt-tui models`), or its folder")
    parser.add_argument("--corpus", metavar="NAME|FILE", help="the text (default: the one it was trained on)")
    parser.add_argument(
        "--characters",
        type=int,
        metavar="N",
        help="characters, drawn at random, on which the exact crop is measured (default: 10,000); the other policies "
        "read the whole validation split",
    )
    parser.add_argument(
        "--adapt",
        action="store_true",
        help="measure a copy of the model that learns from each token after it was predicted, and nothing else",
    )
    parser.add_argument(
        "--no-counts",
        action="store_true",
        help="with --adapt: the n-gram cache starts empty, not with the text that the model was trained on",
    )
    parser.add_argument(
        "--with",
        dest="others",
        action="append",
        default=[],
        metavar="MODEL",
        help="with --adapt: another model of the same vocabulary, which learns, too, and is mixed with the first; may "
        "be given several times",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print. Raises UsageError, NotFoundError, CheckpointError, CorpusError."""
    if arguments.characters is not None and arguments.characters < 1:
        raise UsageError(f"characters: {arguments.characters} is not at least 1")
    if not arguments.adapt and (arguments.others or arguments.no_counts):
        raise UsageError("--with and --no-counts are for a model that learns", "add --adapt, or leave them out")

    from benchmarks.measure.window_loss import CHARACTERS, WindowBenchmark, engines_of, split_ids
    from tinygpt_tui.checkpoints.card import read_config
    from tinygpt_tui.checkpoints.library import find_model
    from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
    from tinygpt_tui.measuring.pinned import one_core

    folder = find_model(arguments.model)
    config = read_config(folder)
    name = arguments.corpus or (config.trained.corpus if config.trained else "")
    if not name:
        raise UsageError(f"{folder.name} does not record which text it was trained on", "name one with --corpus")
    corpus, text = read_corpus(name)
    tokenizer = open_tokenizer(folder, config)
    if arguments.adapt:
        from benchmarks.measure.adaptive_loss import AdaptiveBenchmark
        from tinygpt_tui.workers.models import open_model

        known, ids = split_ids(folder, text, tokenizer)
        others = [find_model(other) for other in arguments.others]
        for other in others:
            if open_tokenizer(other, read_config(other)).to_dict() != tokenizer.to_dict():
                raise UsageError(f"{other.name} has another vocabulary than {folder.name}")
        adaptive = AdaptiveBenchmark(
            open_model(folder).net(),
            tokenizer,
            ids,
            [] if arguments.no_counts else known.tolist(),
            (" and ".join(each.name for each in (folder, *others)), corpus),
            [open_model(other).net() for other in others],
        )
        with one_core():
            return measured(adaptive, adaptive_in_words, as_json=arguments.json)
    _, ids = split_ids(folder, text, tokenizer)
    open_engine, precisions, engine = engines_of(folder)
    benchmark = WindowBenchmark(
        open_engine,
        config.architecture,
        ids,
        characters=arguments.characters or CHARACTERS,
        precisions=precisions,
        names=(folder.name, corpus, engine),
    )
    with one_core():
        return measured(benchmark, in_words, as_json=arguments.json)


def adaptive_in_words(report: AdaptiveReport) -> str:
    """Return the report of a model that adapts as text."""
    return (
        f"{report.model} on {report.corpus}: {report.characters:,} characters of the validation split"
        f"{'' if report.finished else ', not finished'}; each was predicted, then learned from; "
        f"{f'{report.counted:,} tokens were' if report.counted else 'nothing was'} counted before\n"
        f"loss {report.loss:.4f} nats per character, {report.bits:.4f} bits; {report.steps:,} gradient steps, "
        f"{report.cpu_s:.0f} s of the processor\n"
        f"the probabilities of each step sum to 1 within {max(report.largest_error, 1e-15):.0e}\n"
    )


def in_words(report: WindowReport) -> str:
    """Return the report as text."""
    head = (
        f"{report.model} on {report.corpus}: {report.characters:,} characters of the validation split, each after a "
        f"full window of {report.block_size}; {report.engine} engine\n"
        f"loss in nats per character; the cost is counted from {report.base}, fp32; ± is two standard errors of what "
        "was drawn\n"
    )
    rows = [
        (
            row.window,
            row.weights,
            f"{row.characters:,}",
            f"{row.loss:.4f}",
            f"± {row.within:.4f}" if row.within else "",
            "" if row.cost is None or (row.window, row.weights) == (report.base, "fp32") else f"{row.cost:+.4f}",
            f"± {row.cost_within:.4f}" if row.cost_within else "",
        )
        for row in report.rows
    ]
    columns = ("WINDOW", "WEIGHTS", "CHARACTERS", "LOSS", "", "COST", "")
    return head + table(rows, columns, right=frozenset({2, 3, 5}))


if __name__ == "__main__":
    sys.exit(execute(sys.modules[__name__]))
