"""python -m benchmarks.train: how fast the presets learn, beside nanoGPT's recipe for a processor."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import execute, read_corpus
from benchmarks.measure.training_goals import DEFAULT, GOALS, LOOP, PLAIN, find_parts
from tinygpt_tui.cli.bench_progress import measured
from tinygpt_tui.cli.output import table
from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.packages import import_torch
from tinygpt_tui.words import duration

if TYPE_CHECKING:
    from benchmarks.measure.training_report import GoalRow, LoopRow, TrainingReport
    from tinygpt_tui.measuring.report import Spread

QUIET = 0.95  # of a core's time; below it, other programs ran there while it was measured
FIRST_SEED = 1001  # the presets were chosen with others
EPILOG = """\
Every training runs to its end in one process on one core, seed by seed, the plain recipe in each round; the loss is
over the whole validation split. Seconds are the processor's, in the steps alone. About ten minutes a seed; 1.45 takes
half an hour more. Ctrl-C prints what has been measured by then.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = EPILOG
    known = ", ".join((LOOP, *GOALS))
    parser.add_argument(
        "--only", metavar="A,B,…", help=f"which parts, of {known} (default: {','.join(DEFAULT)}); losses are goals"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="rounds, each with its seed (default: 3)")
    parser.add_argument(
        "--first-seed", type=int, default=FIRST_SEED, metavar="N", help=f"the first one (default: {FIRST_SEED})"
    )
    parser.add_argument(
        "--corpus", default="shakespeare", metavar="NAME|FILE", help="the text (default: shakespeare, as for the goals)"
    )
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="end every training so soon; to try it out")
    parser.add_argument(
        "--nanogpt",
        type=Path,
        metavar="FILE",
        help="nanoGPT's model.py, whose GPT is trained in the part `loop` too: it is run, so give one that you trust",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object with every figure instead of the table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print. Raises UsageError, NotFoundError, CorpusError."""
    parts = find_parts(arguments.only or ",".join(DEFAULT))
    if arguments.seeds < 1:
        raise UsageError(f"seeds: {arguments.seeds} is not at least 1")

    if arguments.nanogpt and LOOP not in parts:
        raise UsageError("nanogpt: the file's GPT is trained in the part loop only", "for example --only loop")
    if arguments.nanogpt and not arguments.nanogpt.is_file():
        raise NotFoundError(f"nanogpt: there is no file {arguments.nanogpt}")

    corpus, text = read_corpus(arguments.corpus)
    import_torch("benchmarks.train")
    from benchmarks.measure.training import TrainingBenchmark, TrainingPlan

    seeds = tuple(range(arguments.first_seed, arguments.first_seed + arguments.seeds))
    plan = TrainingPlan(
        parts=parts, seeds=seeds, corpus=corpus, steps=max(0, arguments.steps), nanogpt=arguments.nanogpt
    )
    return measured(TrainingBenchmark(plan, text), in_words, as_json=arguments.json)


def in_words(report: TrainingReport) -> str:
    """Return the report as text, with what was wanted beside what was found."""
    machine = report.machine
    core = f"core {machine.pinned_to_core}" if machine.pinned_to_core is not None else "no core of its own"
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    native = "" if report.native else "; without the native library, by torch alone"
    lines = [
        f"{machine.processor}, {machine.cores} cores, {machine.system}; one thread, {core}{native}",
        versions,
        f"{report.corpus}, {report.characters:,} characters; "
        f"{'' if report.finished else 'not finished; '}{duration(report.seconds)} in all",
    ]
    if report.core_share is not None and report.core_share < QUIET:
        lines.append(
            f"the machine was busy: this process had {report.core_share:.0%} of its core; seconds are the core's own"
        )
    parts = ["\n".join(lines) + "\n"]
    if report.loop:
        parts.append("Tokens a second of the loop, windows of 64, 12 a step\n" + _loops(report.loop))
    if report.goals:
        parts.append("Whole runs: full validation loss, and seconds of the steps alone\n" + _goals(report.goals))
    return "\n".join(parts)


def _loops(rows: tuple[LoopRow, ...]) -> str:
    cells = [
        (
            row.size,
            row.way,
            f"{row.tokens_per_s.median:,.0f}" if row.tokens_per_s else "",
            f"{row.ratio.median:.3g}x" if row.ratio else "",
            f"{row.ratio.low:.3g}–{row.ratio.high:.3g}" if row.ratio else "",
            f"≥ {row.wanted:g}x" if row.wanted else "",
            _verdict(row.met),
        )
        for row in rows
    ]
    return table(cells, ("SIZE", "LOOP", "TOKENS/S", "RATIO", "SPREAD", "WANTED", ""), right=frozenset({2, 3, 5}))


def _goals(rows: tuple[GoalRow, ...]) -> str:
    cells = [
        (
            "plain recipe" if row.name == PLAIN else row.preset,
            f"{row.parameters:,}",
            str(len(row.runs)),
            f"{row.loss.median:.3f}" if row.loss else "",
            _between(row.loss, 3),
            f"≤ {row.wanted_loss:g}" if row.name != PLAIN else "",
            f"{row.seconds.median:.1f}" if row.seconds else "",
            _between(row.seconds, 1),
            f"{row.ratio.median:.3g}x" if row.ratio else "",
            f"≥ {row.wanted_times:g}x" if row.wanted_times else f"≤ {row.wanted_s:g} s" if row.wanted_s else "",
            f"{max(run.whole_s for run in row.runs):.0f} s",
            f"{max(run.besides for run in row.runs):.1%}" if row.name != PLAIN else "",
            _verdict(row.met),
        )
        for row in rows
    ]
    columns = (
        *("PRESET", "PARAMETERS", "SEEDS", "LOSS", "SPREAD", "WANTED", "SECONDS", "SPREAD", "RATIO", "WANTED"),
        *("BY THE CLOCK", "BESIDES", ""),
    )
    note = (
        "RATIO: the plain recipe's seconds to these. BY THE CLOCK: the longest run with its evaluations and samples, "
        "other programs' time\nwith it. BESIDES: the most that evaluations and samples took of the work.\n"
    )
    return table(cells, columns, right=frozenset({1, 2, 3, 5, 6, 8, 9, 10, 11})) + note


def _between(spread: Spread | None, digits: int) -> str:
    return f"{spread.low:.{digits}f}–{spread.high:.{digits}f}" if spread else ""


def _verdict(met: bool | None) -> str:
    return {True: "reached", False: "short", None: ""}[met]


if __name__ == "__main__":
    sys.exit(execute(sys.modules[__name__]))
