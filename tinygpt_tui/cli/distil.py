"""export --distil: what a format cannot store is learned by a model that it can, from the model's own probabilities."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
from pathlib import Path

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.cli.flags import add_corpus_flags
from tinygpt_tui.cli.output import notify
from tinygpt_tui.errors import RunError, UsageError
from tinygpt_tui.exports.forms import FORMS, Form, is_standard, unsaid
from tinygpt_tui.packages import TRAINING, require
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.distilled import WRITTEN
from tinygpt_tui.runs.folder import CorpusReference
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.words import duration, parameters

MINUTES = 3.0
WRITING_SHARE = 1 / 3  # of that time, where the model has to write its text first


def add_distil_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("if the format cannot store the model")
    group.add_argument(
        "--distil",
        action="store_true",
        help="train a model that it can store on this model's probabilities, and export that; it is saved as "
        "NAME-llama (for nanogpt NAME-nanogpt) and used again",
    )
    group.add_argument("--minutes", type=float, metavar="X", help=f"how long to train it (default: {MINUTES:g})")
    add_corpus_flags(
        group, required=False, words="for --distil (default: the model's training text, else one that it writes):"
    )


def distilled(arguments: argparse.Namespace, form: Form, teacher: Path) -> Path:
    """Return a model that `form` stores and that has learned from `teacher`, in a run of now or of earlier.

    Raises UsageError where that is not needed or not possible, RunError where nothing was learned, and what starting a
    run can raise.
    """
    require("torch", TRAINING)
    from tinygpt_tui.cli.train import known_machine, train_here
    from tinygpt_tui.files import write_bytes
    from tinygpt_tui.planning.fitting import with_few_judges
    from tinygpt_tui.planning.student import student_training
    from tinygpt_tui.runs.index import create_run, free_name
    from tinygpt_tui.runs.new_run import new_run
    from tinygpt_tui.training.fine_tuning import origin_of
    from tinygpt_tui.workers.distilling import earlier_student

    origin = origin_of(str(teacher))
    _check(form, origin.model.name, is_standard(form, origin.architecture))
    name = f"{origin.model.name}-{form.student}"
    if not arguments.corpus and not arguments.minutes:
        earlier = earlier_student(name, origin.model, paths.models_folder())
        if earlier is not None:
            notify(f"{name} has learned from {origin.model.name} before; --minutes X trains another one")
            return earlier.model
    name, minutes = free_name(name), arguments.minutes or MINUTES
    training = student_training(origin.architecture, form.student, minutes)
    training = msgspec.structs.replace(training, tokenizer=origin.tokenizer_setting)
    place = paths.models_folder() / name / "run" / "written.txt"
    reference, share, written = _text(arguments, teacher, place, minutes * 60 * WRITING_SHARE)
    if share:
        training = msgspec.structs.replace(training, validation_share=share)
    training = with_few_judges(training, reference.characters, known_machine())
    run = create_run(new_run(name, form.student, training, reference, teachers=[origin.model]))
    if written:
        write_bytes(place, written, within=run.model)
    lacking = "; ".join(unsaid(form, origin.architecture)) or "it has no class for it"
    notify(
        f"{form.title} cannot store {origin.model.name} as it is ({lacking}): {name}, a {form.student} of "
        f"{parameters(count_parameters(training.architecture))} parameters, learns from it for "
        f"{duration(minutes * 60)}, on {reference.name}"
    )
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for what is exported
        train_here(run)
    continues = f"{own_command('resume', name)} continues"
    if earlier_student(name, origin.model, paths.models_folder()) is None:
        raise RunError(f"{name} has learned nothing yet", f"{continues}; then export {name}")
    if run.read_status().state == "stopped":
        notify(f"stopped early: {name} is saved, and exported with what it has learned; {continues}")
    return run.model


def _check(form: Form, name: str, standard: bool) -> None:
    if not form.student:
        able = ", ".join(other.name for other in FORMS.values() if other.student)
        raise UsageError(f"--distil: there is none for {form.name}", f"there is one for {able}")
    if standard:
        raise UsageError(f"--distil: {form.title} stores {name} as it is", "leave --distil out")


def _text(
    arguments: argparse.Namespace, teacher: Path, place: Path, seconds: float
) -> tuple[CorpusReference, float | None, bytes]:
    """Return the text to learn on, the share of it that the teacher never read, and its bytes if it is new."""
    from tinygpt_tui.cli.reading import open_corpus, with_progress
    from tinygpt_tui.runs.new_run import reference
    from tinygpt_tui.workers.distilling import training_text, writing_text

    if arguments.corpus:
        entry, text = open_corpus(arguments)
        return reference(entry, text, arguments.encoding), None, b""
    known = training_text(teacher)
    if known is not None:
        return *known, b""
    notify(f"the training text of {teacher.name} is not here: it writes one (--corpus TEXT uses another)")
    try:
        own = with_progress(writing_text(teacher, seconds), "writing a text")
    except KeyboardInterrupt:
        words = "stopped while the text was written: nothing was saved"
        raise RunError(words, "exporting again starts from the beginning") from None
    written = own.encode("utf-8", "replace")
    digest = hashlib.sha256(written).hexdigest()
    known_text = CorpusReference(name=WRITTEN, path=str(place), sha256=digest, characters=len(own))
    return known_text, None, written
