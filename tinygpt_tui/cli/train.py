"""tinygpt-tui train: train a model of your own on a text; Ctrl-C stops and keeps it."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.cli.flags import add_encoding_flag, add_setting_flags, typed_settings
from tinygpt_tui.cli.output import say, write
from tinygpt_tui.cli.terminal import surviving
from tinygpt_tui.errors import ExitCode, NotFoundError, TinyGPTError, UsageError
from tinygpt_tui.packages import TRAINING, import_torch, require
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.load import FROM_CORPUS, architecture_fields, read_toml, resolve
from tinygpt_tui.settings.presets import ALL_PRESETS, DEFAULT_PRESET, TIMED_PRESET, find_preset
from tinygpt_tui.settings.training import TrainingSettings

if TYPE_CHECKING:
    from tinygpt_tui.corpora.corpus import Corpus, CorpusText
    from tinygpt_tui.runs.folder import RunSettings
    from tinygpt_tui.training.fine_tuning import Origin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.usage = "%(prog)s --corpus NAME|FILE [--name NAME] [--preset PRESET]\n  [--minutes X] [OPTION ...]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "presets:\n" + "\n".join(
        f"  {name:<8}  {preset.description}" for name, preset in ALL_PRESETS.items()
    )
    parser.add_argument("--corpus", required=True, metavar="NAME|FILE", help="`tinygpt-tui data`, or any text file")
    add_encoding_flag(parser)
    parser.add_argument("--name", help="the new model's name (default: the corpus's)")
    parser.add_argument(
        "--preset",
        help=f"{', '.join(ALL_PRESETS)} (default: {TIMED_PRESET} for your own text and with --minutes, else "
        f"{DEFAULT_PRESET}); with --from its recipe, for that model's net",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="MODEL",
        help="begin with this model's weights: its net and recipe at 0.3 of the rates, a few epochs of the text; "
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
    if not arguments.dry_run:
        require("torch", TRAINING)
    if is_helper():
        return help_here()
    typed = _typed(arguments)

    from tinygpt_tui.corpora.catalog import find_corpus
    from tinygpt_tui.corpora.corpus import check_length
    from tinygpt_tui.runs.index import check_name, create_run, discard_unbegun, free_name
    from tinygpt_tui.runs.new_run import new_run, reference
    from tinygpt_tui.tokenizers.char import CharTokenizer

    if arguments.name:
        check_name(arguments.name)  # before anything is measured or read
    entry = find_corpus(arguments.corpus)
    if entry.path is None:
        raise NotFoundError(
            f"{entry.row.title} is not on this machine yet", own_command("data", "--download", entry.name)
        )
    preset = arguments.preset or default_preset(entry.own, bool(typed.get("minutes")))
    base = find_preset(preset).training
    origin = _origin(arguments.origin, typed, keep_recipe=not arguments.preset) if arguments.origin else None

    from tinygpt_tui.cli.reading import encode, read_corpus_text

    minutes = resolve(base, ending(typed)).minutes or base.minutes  # what was typed can be, before much is read
    text = read_corpus_text(Path(entry.path), arguments.encoding)
    if origin is not None:
        base, preset = origin.training(base, len(text.text)), ""
    elif preset == TIMED_PRESET:
        base = _fitted(minutes, text, measure=not arguments.dry_run)
    training = resolve(base, ending(typed))
    check_length(len(text.text), training.architecture.training_length, training.validation_share)
    tokenizer = origin.vocabulary_for(text.text) if origin else CharTokenizer.of_counts(text.counts)
    training = _for_vocabulary(training, tokenizer.size)
    told = _estimate(training, text, fine_tuned=origin is not None)
    if arguments.dry_run:
        write("".join(f"{line}\n" for line in told))
        return int(ExitCode.OK)
    for line in told:
        say(line)
    name = arguments.name or free_name(f"{origin.model.name}-{entry.name}" if origin else entry.name)
    known = reference(entry, text, arguments.encoding)
    settings = new_run(name, preset, training, known, origin.model if origin else None)
    if arguments.detach:
        return train_detached(create_run(settings))
    for note in text.notes:
        say(note)
    corpus = encode(text, training.architecture.training_length, training.validation_share, tokenizer)
    del text  # it may be large, and the run needs its ids alone

    from tinygpt_tui.workers import trainer  # noqa: F401  the run is announced as soon as it is there

    run = create_run(settings)
    try:
        return train_here(run, corpus=corpus)
    except TinyGPTError:
        discard_unbegun(run)
        raise


def _typed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were typed, over those of a file. Raises UsageError."""
    typed = read_toml(arguments.config) if arguments.config else {}
    by_hand = typed_settings(arguments, TrainingSettings) | typed_settings(arguments, architecture_fields())
    if by_hand.get("steps") and by_hand.get("minutes"):
        raise UsageError(
            "--steps and --minutes both say when the training ends", "leave one out: minutes end it by the clock"
        )
    if "minutes" in by_hand:  # what is typed replaces what the file says of the end
        typed.pop("steps", None)
    elif "steps" in by_hand:
        typed.pop("minutes", None)
    if typed.get("steps") and typed.get("minutes"):
        raise UsageError(
            f"{arguments.config}: steps and minutes both say when the training ends", "leave one of them out"
        )
    return typed | by_hand


def ending(typed: dict[str, Any]) -> dict[str, Any]:
    """Return `typed` with no time limit where a number of steps was typed: the preset may have one."""
    return {"minutes": 0.0, **typed} if typed.get("steps") else typed


def default_preset(own: bool, timed: bool) -> str:
    """Return the preset of a training that names none; for a text of the user's `own` what suits text and machine."""
    return TIMED_PRESET if own or timed else DEFAULT_PRESET


def _fitted(minutes: float, text: CorpusText, *, measure: bool) -> TrainingSettings:
    """Choose what suits so many minutes; a machine that was never measured is measured now, where `measure` says so."""
    from tinygpt_tui.planning.fitting import fitted
    from tinygpt_tui.planning.machine import read_machine

    machine = read_machine()
    if measure and not machine.measured:
        import_torch(TRAINING)
        from tinygpt_tui.training.measure import measure_machine

        say("measuring this machine: a few seconds, once")
        machine = measure_machine()
    return fitted(minutes, len(text.text), len(text.counts), machine)


def _estimate(training: TrainingSettings, text: CorpusText, *, fine_tuned: bool) -> list[str]:
    """Return what `training` on `text` would take and what may be wrong with it, line by line."""
    from tinygpt_tui.planning.estimate import estimate, in_words, rare_in, warnings
    from tinygpt_tui.planning.machine import free_memory, read_machine

    machine, free = read_machine(), free_memory()
    found = estimate(training, len(text.text), machine)
    told = warnings(training, found, rare_in(text.counts), free, fine_tuned=fine_tuned)
    return [*in_words(training, found, machine, free), *(f"warning: {warning}" for warning in told)]


def _for_vocabulary(training: TrainingSettings, size: int) -> TrainingSettings:
    architecture = msgspec.structs.replace(training.architecture, vocab_size=size)
    return msgspec.structs.replace(training, architecture=architecture)


def is_helper() -> bool:
    """Whether torchrun started this process as one of several, and not as the first."""
    return bool(int(os.environ.get("RANK", "0")))


def help_here() -> int:
    """Take part in what the first of torchrun's processes trains; nothing is read or written here."""
    import_torch(TRAINING)
    from tinygpt_tui.training.helper import main

    return main()


def _origin(name: str, typed: dict[str, Any], *, keep_recipe: bool) -> Origin:
    """Return the model to start from, with the recipe that it was trained by, or without."""
    from tinygpt_tui.training.fine_tuning import check_typed, origin_of

    origin = origin_of(name)
    check_typed(typed, origin)
    return origin if keep_recipe else dataclasses.replace(origin, recipe=None)


def train_here(run: RunFolder, settings: RunSettings | None = None, corpus: Corpus | None = None) -> int:
    """Train `run` in this process, shown in this terminal; return the exit code.

    `settings` are other ones than it has so far, `corpus` is its text, where that was read already.
    Ctrl-C stops the run and keeps it. A terminal that is closed, or a reader of the output that leaves, does not: the
    run continues, and what it would have printed is appended to its log.
    """
    with surviving(run.log):
        return _train_here(run, settings, corpus)


def _train_here(run: RunFolder, settings: RunSettings | None, corpus: Corpus | None) -> int:
    from tinygpt_tui.workers.trainer import announce

    control = Control(run.control)
    control.clear()
    announce(run, os.getpid())  # importing torch takes seconds, in which the run is seen by others

    def stop(number: int, frame: FrameType | None) -> None:
        say("stopping: one more evaluation, then the best weights are kept (again to stop at once)")
        platforms.interrupt_raises()
        control.send("stop")

    platforms.on_signals(platforms.STOP_SIGNALS, stop)

    # Importing torch takes seconds, and inside an import Python may lose an interrupt: it is a request by now.
    import_torch(TRAINING)
    from tinygpt_tui.cli.training_view import show
    from tinygpt_tui.training.run import run_training
    from tinygpt_tui.workers.processes import process_group_of

    say(f"training {run.model.name} in {run.model}")
    with process_group_of(run) as team:
        events = run_training(run.model, settings=settings, corpus=corpus, group=team, keep_earlier_commands=True)
        return show(([event] for event in events), run, footer="Ctrl-C stops and keeps the best weights")


def train_detached(run: RunFolder, settings: RunSettings | None = None) -> int:
    """Train `run` in a process of its own, which outlives this terminal; stdout has the run's name."""
    from tinygpt_tui.workers.trainer import start_trainer

    start_trainer(run, settings)
    name = run.model.name
    say(f"{name} is being trained in the background; watch it: {own_command('watch', name)}")
    write(f"{name}\n")
    return int(ExitCode.OK)
