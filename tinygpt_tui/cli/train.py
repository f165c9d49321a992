"""tinygpt-tui train: train a model of your own on a text; Ctrl-C stops and keeps it."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from tinygpt_tui.cli.flags import add_setting_flags, typed_settings
from tinygpt_tui.cli.output import say
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.load import FROM_CORPUS, architecture_fields, read_toml, resolve
from tinygpt_tui.settings.presets import ALL_PRESETS, DEFAULT_PRESET, find_preset
from tinygpt_tui.settings.training import TrainingSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "presets:\n" + "\n".join(
        f"  {name:<8}  {preset.description}" for name, preset in ALL_PRESETS.items()
    )
    parser.add_argument("--corpus", required=True, metavar="NAME|FILE", help="`tinygpt-tui data`, or any text file")
    parser.add_argument("--name", help="the new model's name (default: the corpus's)")
    parser.add_argument(
        "--preset", default=DEFAULT_PRESET, help=f"{', '.join(ALL_PRESETS)} (default: {DEFAULT_PRESET})"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings from a TOML file, over the preset's")
    add_setting_flags(parser, TrainingSettings, "training")
    add_setting_flags(parser, architecture_fields(), "architecture", leave_out=FROM_CORPUS)


def run(arguments: argparse.Namespace) -> int:
    """Make the run and train it in this process. Raises every error a training can begin with."""
    training = resolve(
        find_preset(arguments.preset).training,
        read_toml(arguments.config) if arguments.config else {},
        typed_settings(arguments, TrainingSettings) | typed_settings(arguments, architecture_fields()),
    )

    from tinygpt_tui.corpora.catalog import find_corpus
    from tinygpt_tui.corpora.corpus import read_text, split
    from tinygpt_tui.runs.begin import new_run, reference
    from tinygpt_tui.runs.index import create_run, free_name

    entry = find_corpus(arguments.corpus)
    if entry.path is None:
        raise NotFoundError(
            f"{entry.row.title} is not on this machine yet", f"tinygpt-tui data --download {entry.name}"
        )
    text = read_text(Path(entry.path))
    split(text.text, training.architecture.training_length, training.validation_share)  # a bad text makes no folder
    name = arguments.name or free_name(entry.name)
    settings = new_run(name, arguments.preset, training, reference(entry, text))
    return train_here(create_run(settings))


def train_here(run: RunFolder) -> int:
    """Train `run` in this process, shown in this terminal; return the exit code."""
    from tinygpt_tui.cli.training_view import show
    from tinygpt_tui.training.run import run_training

    settings = run.read_settings()
    control = Control(run.control)

    def stop(number: int, frame: FrameType | None) -> None:
        say("stopping: one more evaluation, then the best weights are kept (again to stop at once)")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        control.ask("stop")

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    say(f"training {run.model.name} in {run.model}")
    try:
        return show(run_training(run.model), settings)
    finally:
        sys.stdout.flush()
