"""tinygpt-tui bench: measure how fast this machine generates text, or the records again."""

from __future__ import annotations

import argparse
import functools

from tinygpt_tui.cli import bench_generate, bench_records
from tinygpt_tui.errors import UsageError
from tinygpt_tui.platforms import python_command

MOVED = ("train", "family", "window")  # measure the project, not the machine: they come with its source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    benchmarks = parser.add_subparsers(dest="benchmark", metavar="BENCHMARK", title="benchmarks", required=True)
    for name, module in (("generate", bench_generate), ("records", bench_records)):
        summary = (module.__doc__ or "").split("\n")[0].partition(": ")[2]
        benchmark = benchmarks.add_parser(name, help=summary, description=summary)
        module.add_arguments(benchmark)
        benchmark.set_defaults(benchmark_run=module.run)
    for name in MOVED:
        moved = benchmarks.add_parser(name, add_help=False, prefix_chars="\0")  # so that its old flags are arguments
        moved.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
        moved.set_defaults(benchmark_run=functools.partial(_moved, name))


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmark that was named. Raises what it raises."""
    return int(arguments.benchmark_run(arguments))


def _moved(name: str, _: argparse.Namespace) -> int:
    raise UsageError(
        f"`bench {name}` is not part of the installed program any more",
        f"in a checkout of its source, run: {python_command('-m', f'benchmarks.{name}', '--help')}",
    )
