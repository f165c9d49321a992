"""tinygpt-tui get: download a model from the Hugging Face Hub and save it among your models."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli.output import notify, write
from tinygpt_tui.platforms import own_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repository", metavar="USER/NAME", help="the repository on the Hub, or USER/NAME@REVISION")
    parser.add_argument("--name", default="", help="name of the model here (default: its own)")


def run(arguments: argparse.Namespace) -> int:
    """Download and save it. Raises NotFoundError, UsageError, DownloadError, CheckpointError, StorageError."""
    from tinygpt_tui.checkpoints.stored import read_model
    from tinygpt_tui.cli.model_at import model_at
    from tinygpt_tui.cli.open import save_model
    from tinygpt_tui.foreign.hub import PREFIX
    from tinygpt_tui.runs.index import check_name

    if arguments.name:
        check_name(arguments.name)  # before anything is downloaded
    path = model_at(PREFIX + arguments.repository.removeprefix(PREFIX))
    saved = save_model(read_model(path), path, arguments.name)
    notify(f"to write with it: {own_command('generate', saved.name)}")
    write(f"{saved.name}\n")
    return 0
