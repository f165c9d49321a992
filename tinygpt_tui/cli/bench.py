"""tinygpt-tui bench: how fast this machine writes and learns, or what a faster window costs."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli import bench_family, bench_generate, bench_train, bench_window

BENCHMARKS = {
    "generate": bench_generate,
    "train": bench_train,
    "family": bench_family,
    "window": bench_window,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmarks and their arguments."""
    benchmarks = parser.add_subparsers(dest="benchmark", metavar="BENCHMARK", title="benchmarks", required=True)
    for name, module in BENCHMARKS.items():
        summary = (module.__doc__ or "").split("\n")[0].partition(": ")[2]
        benchmark = benchmarks.add_parser(name, help=summary, description=summary)
        module.add_arguments(benchmark)
        benchmark.set_defaults(benchmark_run=module.run)


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmark that was named. Raises what it raises."""
    return int(arguments.benchmark_run(arguments))
