"""python -m benchmarks.recipe: what each change of the recipe of `modern` gives, on a reduced net and text."""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import TYPE_CHECKING

from benchmarks.command import execute, read_corpus
from tinygpt_tui.cli.bench_progress import measured
from tinygpt_tui.cli.output import table
from tinygpt_tui.errors import UsageError
from tinygpt_tui.packages import import_torch
from tinygpt_tui.words import duration

if TYPE_CHECKING:
    from benchmarks.measure.recipe_report import RecipeReport

EPILOG = """\
The last tenth of the text is left out: the tenth before it judges, and the characters before that are learned from. The
net has 96 channels, 3 heads and 3 layers, and reads its 350,000 characters nine times: as many parameters a character
and about as many rounds as `modern` has. Losses are calibrated. Two minutes of one core for a recipe and a seed. Ctrl-C
prints what has been measured by then.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("--only", metavar="A,B,…", help="which recipes (default: all)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="rounds, each with its seed (default: 3)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="N", help="the first one (default: 1)")
    parser.add_argument("--corpus", default="shakespeare", metavar="NAME|FILE", help="the text (default: shakespeare)")
    parser.add_argument(
        "--characters", type=int, default=350_000, metavar="N", help="how many are learned from (default: 350000)"
    )
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="end every training so soon; to try it out")
    parser.add_argument("--json", action="store_true", help="one JSON object with every figure instead of the table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print. Raises UsageError, NotFoundError, CorpusError."""
    for name in ("seeds", "characters"):
        if getattr(arguments, name) < 1:
            raise UsageError(f"{name}: {getattr(arguments, name)} is not at least 1")

    corpus, text = read_corpus(arguments.corpus)
    import_torch("benchmarks.recipe")
    from benchmarks.measure.recipe import RecipeBenchmark, RecipePlan
    from benchmarks.measure.recipes import RECIPES

    recipes = tuple(arguments.only.split(",")) if arguments.only else tuple(RECIPES)
    if not set(recipes) <= set(RECIPES):
        raise UsageError(f"only: {', '.join(sorted(set(recipes) - set(RECIPES)))} is none of {', '.join(RECIPES)}")
    plan = RecipePlan(
        recipes=recipes,
        corpus=corpus,
        characters=arguments.characters,
        seeds=tuple(range(arguments.first_seed, arguments.first_seed + arguments.seeds)),
        steps=max(0, arguments.steps),
    )
    return measured(RecipeBenchmark(plan, text), in_words, as_json=arguments.json)


def in_words(report: RecipeReport) -> str:
    """Return the report as text, the lowest calibrated loss first."""
    machine = report.machine
    lines = [
        f"{machine.processor}, {machine.cores} cores, {machine.system}; one thread",
        f"{report.corpus}: {report.characters:,} characters to learn from, {report.judged:,} to judge; "
        f"{'' if report.finished else 'not finished; '}{duration(report.took_s)} in all, "
        f"with {report.core_share:.0%} of a core",
    ]
    by_recipe = {run.recipe: [one for one in report.runs if one.recipe == run.recipe] for run in report.runs}
    rows = [
        (
            recipe,
            f"{runs[0].parameters:,}",
            str(len(runs)),
            f"{statistics.fmean(run.loss for run in runs):.4f}",
            f"{min(run.loss for run in runs):.4f}–{max(run.loss for run in runs):.4f}",
            f"{statistics.fmean(run.plain_loss for run in runs):.4f}",
            f"{statistics.fmean(run.logit_scale for run in runs):.2f}",
            f"{statistics.fmean(run.seconds for run in runs):.0f}",
        )
        for recipe, runs in sorted(by_recipe.items(), key=lambda item: statistics.fmean(run.loss for run in item[1]))
    ]
    columns = ("RECIPE", "PARAMETERS", "SEEDS", "LOSS", "SPREAD", "NOT CALIBRATED", "FACTOR", "SECONDS")
    return "\n".join(lines) + "\n\n" + table(rows, columns, right=frozenset({1, 2, 3, 5, 6, 7}))


if __name__ == "__main__":
    sys.exit(execute(sys.modules[__name__]))
