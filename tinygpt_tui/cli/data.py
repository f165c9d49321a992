"""tinygpt-tui data: list the corpora, download one, or remove what can be made again."""

from __future__ import annotations

import argparse
import sys

from tinygpt_tui.cli.output import is_plain, notify, table, write
from tinygpt_tui.corpora.cache import clear, entries
from tinygpt_tui.corpora.catalog import find_corpus, list_corpora, list_tasks
from tinygpt_tui.corpora.tasks import PREFIX
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.unused_texts import remove_unused, unused_texts
from tinygpt_tui.words import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--download",
        metavar="NAME|ADDRESS",
        help="download this corpus, a file of the web, or a data set (hf:OWNER/NAME)",
    )
    parser.add_argument(
        "--clear-cache",
        action="store_true",
        help="remove the ids of large texts, and gathered and downloaded texts that no run refers to; what a run needs "
        "is made again",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the corpora, download one, or clear the cache. Raises NotFoundError, DownloadError, StorageError."""
    if arguments.clear_cache:
        notify(f"removed {size(clear())} of the cache")
        for text in remove_unused():
            notify(f"removed {text.name} ({size(text.size)})")
    if arguments.download:
        fetch(arguments.download)
        return 0
    if arguments.clear_cache:
        return 0
    rows = [
        (
            entry.name,
            f"{entry.row.characters or entry.row.bytes:,}",
            "here" if entry.here else own_command("data", "--download", entry.name),
            f"{entry.row.entropy:.3f}" if entry.row.entropy is not None else "",
            entry.row.licence,
            entry.row.description,
        )
        for entry in list_corpora()
    ]
    rows += [
        (f"{PREFIX}{entry.name}", "", "made when it is used", f"{entry.row.entropy:.3f}", entry.row.licence,
         entry.row.description)
        for entry in list_tasks()
    ]  # fmt: skip
    write(table(rows, ("NAME", "CHARACTERS", "WHERE", "ENTROPY", "LICENCE", "DESCRIPTION"), right=frozenset({1, 3})))
    if held := sum(bytes_ for _, bytes_, _ in entries()):
        notify(f"the cache of large texts has {size(held)}; {own_command('data', '--clear-cache')} removes it")
    if unused := unused_texts():
        what = "1 gathered or downloaded text" if len(unused) == 1 else f"{len(unused)} gathered or downloaded texts"
        held = sum(text.size for text in unused)
        notify(f"{what} that no run refers to: {size(held)}; {own_command('data', '--clear-cache')} removes them")
    return 0


def fetch(name: str) -> None:
    """Download a corpus or an address, unless it is here. Raises NotFoundError, DownloadError, StorageError."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from tinygpt_tui.corpora.download import download  # imports an HTTP client

    entry = find_corpus(name)
    if entry.here:
        notify(f"{entry.row.title} is already downloaded: {entry.path}")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, disable=is_plain()) as progress:
        bar = progress.add_task(entry.row.title, total=None)
        for state in download(entry):
            progress.update(bar, completed=state.done, total=state.total or None)
    notify(f"{entry.row.title} is in {state.path}")
