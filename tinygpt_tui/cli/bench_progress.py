"""How far a benchmark is, on stderr: a bar in a terminal, a line for each part elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tinygpt_tui.cli.output import say
from tinygpt_tui.words import duration

if TYPE_CHECKING:
    from tinygpt_tui.measuring.progress import Progress


def watch(benchmark: Iterable[Progress]) -> None:
    """Run `benchmark` to its end, and show how far it is."""
    if not sys.stderr.isatty():
        last = ""
        for progress in benchmark:
            if progress.words != last:
                last = progress.words
                left = f", {duration(progress.left_s)} left" if progress.left_s is not None else ""
                say(f"{last} ({progress.share:.0%}{left})")
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
