"""Find the folder or file that a command's MODEL names; a download from the Hub shows its progress."""

from __future__ import annotations

import sys
from pathlib import Path

from tinygpt_tui.checkpoints.library import find_model
from tinygpt_tui.cli.output import can_draw, notify
from tinygpt_tui.foreign.hub import fetch, is_hub_name


def model_at(name: str) -> Path:
    """Return the path of the model. Raises NotFoundError, DownloadError, StorageError."""
    if not is_hub_name(name):
        return find_model(name)
    if not can_draw(sys.stderr):
        return find_model(name)

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    folder = ""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        bar = progress.add_task(name, total=None)
        for fetched in fetch(name):
            progress.update(bar, completed=fetched.done, total=fetched.total or None)
            folder = fetched.path or folder
    notify(f"{name} is in {folder}")
    return Path(folder)
