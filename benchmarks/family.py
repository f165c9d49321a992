"""python -m benchmarks.family: what each architecture learns, all equally large, in equal time and from equal text."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmarks.command import execute, read_corpus
from tinygpt_tui.cli.bench_progress import measured
from tinygpt_tui.cli.output import table
from tinygpt_tui.errors import UsageError
from tinygpt_tui.packages import import_torch
from tinygpt_tui.words import duration

if TYPE_CHECKING:
    from benchmarks.measure.family_report import FamilyReport

QUIET = 0.95  # of a core's time; below it, other programs ran there while it was measured
EPILOG = """\
Each net is trained twice on one core, as large as the preset `modern` (a bigram is as large as its table): once for a
time (--seconds of the processor, in the steps alone) and once over a text (--characters). Losses are over the whole
validation split, with one seed. A quarter of an hour. Ctrl-C prints what has been measured by then.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("--only", metavar="A,B,…", help="which nets (default: all)")
    parser.add_argument("--seconds", type=float, default=40.0, metavar="N", help="time of each (default: 40)")
    parser.add_argument(
        "--characters", type=int, default=200_000, metavar="N", help="text of each, with repetitions (default: 200000)"
    )
    parser.add_argument("--seed", type=int, default=1001, metavar="N", help="the seed of all (default: 1001)")
    parser.add_argument("--corpus", default="shakespeare", metavar="NAME|FILE", help="the text (default: shakespeare)")
    parser.add_argument("--json", action="store_true", help="one JSON object with every figure instead of the table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print. Raises UsageError, NotFoundError, CorpusError."""
    for name in ("seconds", "characters"):
        if not getattr(arguments, name) > 0:
            raise UsageError(f"{name}: {getattr(arguments, name)} is not more than 0")

    corpus, text = read_corpus(arguments.corpus)
    import_torch("benchmarks.family")
    from benchmarks.measure.family import NETS, FamilyBenchmark, FamilyPlan

    nets = tuple(arguments.only.split(",")) if arguments.only else NETS
    if not set(nets) <= set(NETS):
        raise UsageError(f"only: {', '.join(sorted(set(nets) - set(NETS)))} is none of {', '.join(NETS)}")
    plan = FamilyPlan(
        nets=nets,
        corpus=corpus,
        seconds=arguments.seconds,
        characters=arguments.characters,
        seed=arguments.seed,
    )
    benchmark = FamilyBenchmark(plan, text)
    return measured(benchmark, in_words, as_json=arguments.json)


def in_words(report: FamilyReport) -> str:
    """Return the report as text, the best in equal time first."""
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    lines = [
        f"{machine.processor}, {machine.cores} cores, {machine.system}; one thread",
        versions,
        f"{report.corpus}, seed {report.seed}; "
        f"{'' if report.finished else 'not finished; '}{duration(report.took_s)} in all",
    ]
    if report.core_share < QUIET:
        lines.append(
            f"the machine was busy: this process had {report.core_share:.0%} of its core; seconds are the core's own"
        )
    of_text = {run.net: run for run in report.of_text}
    rows = []
    for run in sorted(report.in_time, key=lambda run: run.loss):
        other = of_text.get(run.net)
        beaten = [stick for stick in report.yardsticks if run.loss < stick.loss]
        rows.append(
            (
                run.net,
                f"{run.parameters:,}",
                f"{run.loss:.3f}",
                f"{run.seconds:.1f}",
                f"{run.characters:,}",
                min(beaten, key=lambda stick: stick.loss).name if beaten else "nobody",
                f"{other.loss:.3f}" if other else "",
                f"{other.seconds:.1f}" if other else "",
            )
        )
    columns = (
        *("NET", "PARAMETERS", f"LOSS IN {report.seconds:g} S", "SECONDS", "CHARACTERS", "BETTER THAN"),
        *(f"LOSS AFTER {report.characters:,}", "SECONDS"),
    )
    sticks = ", ".join(f"{stick.name} {stick.loss:.3f}" for stick in report.yardsticks)
    return (
        "\n".join(lines) + "\n\n" + table(rows, columns, right=frozenset({1, 2, 3, 4, 6, 7})) + f"counting: {sticks}\n"
    )


if __name__ == "__main__":
    sys.exit(execute(sys.modules[__name__]))
