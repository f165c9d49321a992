"""Runs a benchmark: how far it is, on stderr (a bar in a terminal, a line for each part elsewhere), then its report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from tinygpt_tui.cli.output import can_draw, notify, write_data
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.words import duration

if TYPE_CHECKING:
    from tinygpt_tui.measuring.progress import Progress

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Benchmark(Protocol[R_co]):
    """What is measured bit by bit, and reported at any moment."""

    def __iter__(self) -> Iterator[Progress]:
        """Measure, and say how far it is."""
        ...

    def report(self) -> R_co:
        """Return what was measured by now."""
        ...


def measured(benchmark: Benchmark[R], in_words: Callable[[R], str], *, as_json: bool) -> int:
    """Run `benchmark` and print its report, also what there is of it after Ctrl-C; return the exit code."""
    import msgspec

    code = ExitCode.OK
    try:
        watch(benchmark)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
        notify("interrupted: this is what was measured by then")
    report = benchmark.report()
    write_data(msgspec.json.encode(report).decode() + "\n" if as_json else in_words(report))
    return int(code)


def watch(benchmark: Iterable[Progress]) -> None:
    """Run `benchmark` to its end, and show how far it is."""
    if not can_draw(sys.stderr):
        last = ""
        for progress in benchmark:
            if progress.words != last:
                last = progress.words
                left = f", {duration(progress.left_s)} left" if progress.left_s is not None else ""
                notify(f"{last} ({progress.share:.0%}{left})")
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.percentage:>3.0f} %"), BarColumn(20), TextColumn("{task.description}"))
    with Bars(*columns, console=Console(file=sys.stderr), transient=True) as bars:
        bar = bars.add_task("", total=1.0)
        for progress in benchmark:
            left = f"{duration(progress.left_s)} left  " if progress.left_s is not None else ""
            bars.update(bar, completed=progress.share, description=f"{left}{progress.words}: {progress.detail}")
