"""tinygpt-tui train: train a model on a text; Ctrl-C stops and saves it."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.cli.flags import add_corpus_flags, add_setting_flags, typed_settings
from tinygpt_tui.cli.output import notify, write
from tinygpt_tui.cli.terminal import surviving
from tinygpt_tui.errors import ExitCode, TinyGPTError, UsageError
from tinygpt_tui.exports.forms import destinations
from tinygpt_tui.packages import TRAINING, import_torch, require
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.load import FROM_CORPUS, architecture_fields, read_toml, resolve
from tinygpt_tui.settings.presets import ALL_PRESETS, DEFAULT_PRESET, TIMED_PRESET, find_preset
from tinygpt_tui.settings.tokenizer import CHARACTERS
from tinygpt_tui.settings.training import TrainingSettings

if TYPE_CHECKING:
    from tinygpt_tui.corpora.corpus import Corpus, CorpusText
    from tinygpt_tui.planning.machine import Machine
    from tinygpt_tui.runs.folder import RunSettings
    from tinygpt_tui.training.fine_tuning import Origin

SURVEYED = 2_000_000  # characters, so that it takes no more than a second or two


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s --corpus NAME|FILE|FOLDER [--name NAME] [--preset PRESET]\n  [--minutes X] [OPTION ...]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "presets, and where their models can be exported to (≈ nearly):\n" + "\n".join(
        f"  {name:<8}  {preset.description}\n{'':12}{destinations(preset.training.architecture)}"
        for name, preset in ALL_PRESETS.items()
    )
    add_corpus_flags(parser, required=True)
    parser.add_argument("--name", help="name of the new model (default: name of the corpus)")
    parser.add_argument(
        "--preset",
        help=f"{', '.join(ALL_PRESETS)} (default: {TIMED_PRESET} for your own text and with --minutes, else "
        f"{DEFAULT_PRESET}); with --from only its training settings are used",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="MODEL",
        help="fine-tune this model: its architecture and training settings, 0.3 of the learning rates, a few epochs; "
        "new characters are added to its vocabulary",
    )
    parser.add_argument(
        "--teacher",
        dest="teachers",
        action="append",
        default=[],
        metavar="MODEL",
        help="learn this model's probabilities on the text, not the next tokens alone (distillation); given several "
        "times, the mean of several models of one vocabulary",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the time and memory needed, and do not start")
    parser.add_argument(
        "--detach", action="store_true", help="train in the background; `tinygpt-tui watch NAME` shows the run"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file of settings that override the preset")
    add_setting_flags(parser, TrainingSettings, "training")
    add_setting_flags(parser, architecture_fields(), "architecture", leave_out=FROM_CORPUS)


def run(arguments: argparse.Namespace) -> int:
    """Create the run and train it in this process. Raises what starting a run can raise."""
    if not arguments.dry_run:
        require("torch", TRAINING)
    if is_helper():
        return help_here()
    typed = _typed(arguments)

    from tinygpt_tui.corpora.catalog import find_corpus
    from tinygpt_tui.corpora.corpus import check_length
    from tinygpt_tui.planning.estimate import read_apart
    from tinygpt_tui.runs.index import check_name, create_run, discard_unstarted, free_name
    from tinygpt_tui.runs.new_run import new_run, reference
    from tinygpt_tui.training.fine_tuning import check_start, check_teachers, origin_of, text_for
    from tinygpt_tui.training.vocabulary import count_tokens, tokenizer_for

    if arguments.name:
        check_name(arguments.name)  # before anything is measured or read
    own = any(find_corpus(name).own for name in arguments.corpus)
    preset = arguments.preset or default_preset(own, bool(typed.get("minutes")))
    base = find_preset(preset).training
    origin = _origin(arguments.origin, typed, keep_recipe=not arguments.preset) if arguments.origin else None

    teachers = [origin_of(name) for name in arguments.teachers]
    check_teachers(typed, origin, teachers)

    from tinygpt_tui.cli.reading import encode, open_corpus

    wanted = resolve(base, ending(typed))  # check the flags before a large text is read
    check_start(wanted, origin.model if origin else None)
    minutes = wanted.minutes or base.minutes
    entry, text = open_corpus(arguments)
    if origin is not None:
        text = text_for(origin.tokenizer, text)
        tokenizer = origin.vocabulary_for(text.alphabet) if not teachers else origin.tokenizer
    elif teachers:
        tokenizer = teachers[0].tokenizer
        text = text_for(tokenizer, text)
    else:
        tokenizer = tokenizer_for(wanted.tokenizer, text, wanted.validation_share)
    tokens = count_tokens(text, tokenizer)
    if origin is not None:
        base, preset = origin.training(base, tokens), ""
    elif preset == TIMED_PRESET:
        base = _fitted(minutes, tokens, tokenizer.size, measure=not arguments.dry_run)
    training = resolve(base, ending(typed))
    if teachers:
        training = msgspec.structs.replace(training, tokenizer=teachers[0].tokenizer_setting)
    if tokens == text.characters:
        check_length(tokens, training.architecture.training_length, training.validation_share)
    training = _for_vocabulary(training, tokenizer.size)
    documents = read_apart(training, entry.path or "", text.documents)
    lines = _estimate(training, text, tokens, documents, fine_tuned=origin is not None)
    if tokens != text.characters:
        lines = [f"{tokenizer.size:,} different tokens of {text.characters / tokens:.2f} characters on average", *lines]
    if arguments.dry_run:
        write("".join(f"{line}\n" for line in [*lines, *_survey(text, training, arguments.corpus, entry.own)]))
        return int(ExitCode.OK)
    for line in lines:
        notify(line)
    name = arguments.name or free_name(f"{origin.model.name}-{entry.name}" if origin else entry.name)
    known = reference(entry, text, arguments.encoding)
    taught_by = [teacher.model for teacher in teachers]
    settings = new_run(name, preset, training, known, origin.model if origin else None, taught_by)
    if arguments.detach:
        return train_detached(create_run(settings))
    for note in text.notes:
        notify(note)
    corpus = encode(text, training, tokenizer)
    del text  # it may be large, and the run needs only the ids

    from tinygpt_tui.workers import trainer  # noqa: F401  so that the run can be announced as soon as it exists

    run = create_run(settings)
    try:
        return train_here(run, corpus=corpus)
    except TinyGPTError:
        discard_unstarted(run)
        raise


def _typed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings given as flags, over those of a file. Raises UsageError."""
    typed = read_toml(arguments.config) if arguments.config else {}
    by_hand = typed_settings(arguments, TrainingSettings) | typed_settings(arguments, architecture_fields())
    if by_hand.get("steps") and by_hand.get("minutes"):
        raise UsageError("--steps and --minutes both set the end of the run", "leave one of them out")
    if "minutes" in by_hand:  # a flag for the end replaces the file's setting for the end
        typed.pop("steps", None)
    elif "steps" in by_hand:
        typed.pop("minutes", None)
    if typed.get("steps") and typed.get("minutes"):
        raise UsageError(f"{arguments.config}: steps and minutes both set the end of the run", "leave one of them out")
    typed |= by_hand
    if isinstance(name := typed.get("tokenizer"), str):
        from tinygpt_tui.training.vocabulary import whole_path

        typed["tokenizer"] = whole_path(name)
    return typed


def ending(typed: dict[str, Any]) -> dict[str, Any]:
    """Return `typed` without the preset's time limit if a number of steps was given."""
    return {"minutes": 0.0, **typed} if typed.get("steps") else typed


def default_preset(own: bool, timed: bool) -> str:
    """Return the preset if none is named; for the user's `own` text the one that adapts to text and machine."""
    return TIMED_PRESET if own or timed else DEFAULT_PRESET


def _fitted(minutes: float, tokens: int, vocabulary: int, *, measure: bool) -> TrainingSettings:
    """Choose settings for that many minutes; with `measure`, measure a machine that was not measured yet."""
    from tinygpt_tui.planning.fitting import fitted
    from tinygpt_tui.planning.machine import read_machine

    return fitted(minutes, tokens, vocabulary, known_machine() if measure else read_machine())


def known_machine() -> Machine:
    """Return how fast this machine trains; one that was not measured yet is measured. Raises MissingPackageError."""
    from tinygpt_tui.planning.machine import read_machine

    machine = read_machine()
    if not machine.measured:
        import_torch(TRAINING)
        from tinygpt_tui.training.measure import measure_machine

        notify("measuring the speed of this machine (a few seconds, only once)")
        machine = measure_machine()
    return machine


def _estimate(
    training: TrainingSettings, text: CorpusText, tokens: int, documents: int, *, fine_tuned: bool
) -> list[str]:
    """Return the time and memory that `training` on `text` needs, and warnings, line by line."""
    from tinygpt_tui.planning.estimate import estimate, in_words, rare_in, warnings
    from tinygpt_tui.planning.machine import free_memory, read_machine

    machine, free = read_machine(), free_memory()
    found = estimate(training, tokens, machine, documents=documents)
    rare = rare_in(text.counts) if training.tokenizer == CHARACTERS else ""
    found_problems = warnings(training, found, rare, free, fine_tuned=fine_tuned)
    exports = f"exports: {destinations(training.architecture)}"
    return [*in_words(training, found, machine, free), exports, *(f"warning: {warning}" for warning in found_problems)]


def _survey(text: CorpusText, training: TrainingSettings, names: list[str], own: bool) -> list[str]:
    """Return what is in the text that `names` mean, line by line; of a long one, in its beginning."""
    from tinygpt_tui.cli.reading import with_progress
    from tinygpt_tui.corpora.corpus import CorpusText
    from tinygpt_tui.corpora.survey import surveying
    from tinygpt_tui.doctor.survey import survey_findings
    from tinygpt_tui.tokenizers.documents import BOUNDARY

    part = text
    if text.characters > SURVEYED:
        beginning = text.beginning(SURVEYED)
        part = CorpusText.of(beginning, beginning.count(BOUNDARY))
    survey = with_progress(surveying(part, training.validation_share), "looking at the text")
    found = [one for one in survey_findings(survey, own=own) if one.check != "characters"]  # the estimate has warned
    lines = [one.text if one.level == "fine" else f"{one.level}: {one.text}" for one in found]
    if part is not text:
        lines = [f"its first {SURVEYED:,} characters: {lines[0]}", *lines[1:]]
    return [*lines, f"more about the text: {own_command('doctor', '--corpus', *names)}"]


def _for_vocabulary(training: TrainingSettings, size: int) -> TrainingSettings:
    architecture = msgspec.structs.replace(training.architecture, vocab_size=size)
    return msgspec.structs.replace(training, architecture=architecture)


def is_helper() -> bool:
    """Whether torchrun started this process as one of several, but not as the first."""
    return bool(int(os.environ.get("RANK", "0")))


def help_here() -> int:
    """Take part in the run that the first of torchrun's processes trains; this process reads and writes no files."""
    import_torch(TRAINING)
    from tinygpt_tui.training.helper import main

    return main()


def _origin(name: str, typed: dict[str, Any], *, keep_recipe: bool) -> Origin:
    """Return the model to start from, with or without the settings that it was trained with."""
    from tinygpt_tui.training.fine_tuning import check_typed, origin_of

    origin = origin_of(name)
    check_typed(typed, origin)
    return origin if keep_recipe else dataclasses.replace(origin, recipe=None)


def train_here(run: RunFolder, settings: RunSettings | None = None, corpus: Corpus | None = None) -> int:
    """Train `run` in this process, shown in this terminal; return the exit code.

    `settings` replace the run's, `corpus` is its text if that was read already. Ctrl-C stops the run and saves its best
    weights. A closed terminal, or a reader of the output that ends, does not stop it: its output is then appended to
    its log.
    """
    with surviving(run.log):
        return _train_here(run, settings, corpus)


def _train_here(run: RunFolder, settings: RunSettings | None, corpus: Corpus | None) -> int:
    from tinygpt_tui.cli.training_view import early_end_words, show_run
    from tinygpt_tui.runs.early_end import stoppable
    from tinygpt_tui.workers.trainer import announce

    control = Control(run.control)
    control.clear()
    announce(run, os.getpid())  # before torch is imported, which takes seconds: others see the run at once

    def stop(number: int, frame: FrameType | None) -> None:
        notify("stopping: a last evaluation, then the best weights are saved (Ctrl-C again to stop at once)")
        platforms.interrupt_raises()
        control.send("stop")

    platforms.on_signals(platforms.STOP_SIGNALS, stop)

    # Python may lose an interrupt inside this slow import; from here on it is a request to stop.
    with stoppable(run, lambda ended: notify(early_end_words(ended, run.model.name))):
        import_torch(TRAINING)
        from tinygpt_tui.training.run import run_training
        from tinygpt_tui.workers.processes import process_group_of

    notify(f"training {run.model.name} in {run.model}")
    with process_group_of(run) as group:
        events = run_training(run.model, settings=settings, corpus=corpus, group=group, keep_earlier_commands=True)
        return show_run(([event] for event in events), run, footer="Ctrl-C stops and saves the best weights")


def train_detached(run: RunFolder, settings: RunSettings | None = None) -> int:
    """Train `run` in its own process, which outlives this terminal; print the run's name to stdout."""
    from tinygpt_tui.workers.trainer import start_trainer

    start_trainer(run, settings)
    name = run.model.name
    notify(f"{name} is training in the background; to watch it: {own_command('watch', name)}")
    write(f"{name}\n")
    return int(ExitCode.OK)
