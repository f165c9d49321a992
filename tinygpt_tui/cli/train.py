"""tinygpt-tui train: train a model of your own on a text; Ctrl-C stops and keeps it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.cli.flags import add_setting_flags, typed_settings
from tinygpt_tui.cli.output import say, write
from tinygpt_tui.cli.terminal import surviving
from tinygpt_tui.errors import ExitCode, NotFoundError
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.load import FROM_CORPUS, architecture_fields, read_toml, resolve
from tinygpt_tui.settings.presets import ALL_PRESETS, DEFAULT_PRESET, TIMED_PRESET, find_preset
from tinygpt_tui.settings.training import TrainingSettings

if TYPE_CHECKING:
    from tinygpt_tui.training.fine_tuning import Origin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.usage = "%(prog)s --corpus NAME|FILE [--name NAME] [--preset PRESET]\n  [--minutes X] [OPTION ...]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "presets:\n" + "\n".join(
        f"  {name:<8}  {preset.description}" for name, preset in ALL_PRESETS.items()
    )
    parser.add_argument("--corpus", required=True, metavar="NAME|FILE", help="`tinygpt-tui data`, or any text file")
    parser.add_argument("--name", help="the new model's name (default: the corpus's)")
    parser.add_argument(
        "--preset", help=f"{', '.join(ALL_PRESETS)} (default: {DEFAULT_PRESET}, or {TIMED_PRESET} with --minutes)"
    )
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="MODEL",
        help="begin with this model's weights: its net and recipe, a quarter of the steps at 0.3 of the rates; "
        "characters that it does not know are added",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what it would take, and do not start")
    parser.add_argument(
        "--detach", action="store_true", help="train in the background; `tinygpt-tui watch NAME` shows the run"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings from a TOML file, over the preset's")
    add_setting_flags(parser, TrainingSettings, "training")
    add_setting_flags(parser, architecture_fields(), "architecture", leave_out=FROM_CORPUS)


def run(arguments: argparse.Namespace) -> int:
    """Make the run and train it in this process. Raises every error a training can begin with."""
    if is_helper():
        return help_here()
    typed = read_toml(arguments.config) if arguments.config else {}
    typed |= typed_settings(arguments, TrainingSettings) | typed_settings(arguments, architecture_fields())
    preset = arguments.preset or (TIMED_PRESET if typed.get("minutes") else DEFAULT_PRESET)
    base = find_preset(preset).training
    origin = _origin(arguments.origin, typed) if arguments.origin else None
    if origin is not None:
        base = origin.training(base)
        preset = ""
    training = resolve(base, typed)

    from tinygpt_tui.corpora.catalog import find_corpus
    from tinygpt_tui.corpora.corpus import read_text, split
    from tinygpt_tui.runs.begin import new_run, reference
    from tinygpt_tui.runs.index import create_run, free_name
    from tinygpt_tui.tokenizers.char import CharTokenizer
    from tinygpt_tui.workers import trainer  # noqa: F401  a new run is announced at once

    entry = find_corpus(arguments.corpus)
    if entry.path is None:
        raise NotFoundError(
            f"{entry.row.title} is not on this machine yet", own_command("data", "--download", entry.name)
        )
    text = read_text(Path(entry.path))
    if preset == TIMED_PRESET:
        training = resolve(_fitted(training.minutes, text.text), typed)
    split(text.text, training.architecture.training_length, training.validation_share)  # a bad text makes no folder
    size = (origin.vocabulary_for(text.text) if origin else CharTokenizer.of(text.text)).size
    training = _for_vocabulary(training, size)
    if arguments.dry_run:
        return _dry_run(training, text.text)
    name = arguments.name or free_name(f"{origin.model.name}-{entry.name}" if origin else entry.name)
    for line in _estimate(training, text.text):
        say(line)
    run = create_run(new_run(name, preset, training, reference(entry, text), origin.model if origin else None))
    return train_detached(run) if arguments.detach else train_here(run)


def _fitted(minutes: float, text: str) -> TrainingSettings:
    """Choose what suits so many minutes; where this machine was never measured, it is now."""
    from tinygpt_tui.training.fitting import fitted
    from tinygpt_tui.training.machine import read_machine

    machine = read_machine()
    if not machine.measured:
        from tinygpt_tui.training.measure import measure_machine

        say("measuring this machine: a few seconds, once")
        machine = measure_machine()
    return fitted(minutes, len(text), len(set(text)), machine)


def _dry_run(training: TrainingSettings, text: str) -> int:
    """Try a few steps of `training` and say on stdout what the whole would take."""
    from tinygpt_tui.training.measure import choose

    choice = choose(training)
    for line in [*_estimate(training, text, choice.step_s), *choice.notes, choice.words]:
        write(f"{line}\n")
    return int(ExitCode.OK)


def _estimate(training: TrainingSettings, text: str, measured_step_s: float | None = None) -> list[str]:
    """Return what `training` on `text` would take and what may be wrong with it, line by line."""
    from tinygpt_tui.training.estimate import estimate, in_words, rare_in, warnings
    from tinygpt_tui.training.machine import free_memory, read_machine

    machine = read_machine()
    found = estimate(training, len(text), machine, measured_step_s)
    told = warnings(training, found, rare_in(text), free_memory())
    return [*in_words(training, found, machine), *(f"warning: {warning}" for warning in told)]


def _for_vocabulary(training: TrainingSettings, size: int) -> TrainingSettings:
    architecture = msgspec.structs.replace(training.architecture, vocab_size=size)
    return msgspec.structs.replace(training, architecture=architecture)


def is_helper() -> bool:
    """Whether torchrun started this process as one of several, and not as the first."""
    return bool(int(os.environ.get("RANK", "0")))


def help_here() -> int:
    """Take part in what the first of torchrun's processes trains; nothing is read or written here."""
    from tinygpt_tui.training.helper import main

    return main()


def _origin(name: str, typed: dict[str, Any]) -> Origin:
    from tinygpt_tui.training.fine_tuning import check_typed, origin_of

    origin = origin_of(name)
    check_typed(typed, origin)
    return origin


def train_here(run: RunFolder) -> int:
    """Train `run` in this process, shown in this terminal; return the exit code.

    Ctrl-C stops the run and keeps it. A terminal that is closed, or a reader of the output that leaves, does not: the
    run continues, and what it would have printed is appended to its log.
    """
    with surviving(run.log):
        return _train_here(run)


def _train_here(run: RunFolder) -> int:
    from tinygpt_tui.workers.trainer import announce

    control = Control(run.control)
    control.clear()
    announce(run, os.getpid())  # importing torch takes seconds, in which the run is seen by others

    def stop(number: int, frame: FrameType | None) -> None:
        say("stopping: one more evaluation, then the best weights are kept (again to stop at once)")
        platforms.interrupt_raises()
        control.ask("stop")

    platforms.on_signals(platforms.STOP_SIGNALS, stop)

    # Importing torch takes seconds, and inside an import Python may lose an interrupt: it is a request by now.
    from tinygpt_tui.cli.training_view import show
    from tinygpt_tui.training.run import run_training
    from tinygpt_tui.workers.team import team_of

    say(f"training {run.model.name} in {run.model}")
    with team_of(run) as team:
        events = run_training(run.model, team=team, heed_earlier_wishes=True)
        return show(([event] for event in events), run, footer="Ctrl-C stops and keeps the best weights")


def train_detached(run: RunFolder) -> int:
    """Train `run` in a process of its own, which outlives this terminal; stdout has the run's name."""
    from tinygpt_tui.workers.trainer import start_trainer

    start_trainer(run)
    name = run.model.name
    say(f"{name} is being trained in the background; watch it: {own_command('watch', name)}")
    write(f"{name}\n")
    return int(ExitCode.OK)
