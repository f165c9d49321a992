"""From a run's settings to a training in memory: its text, its model, and the state it resumes from."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch

from tinygpt_tui import platforms
from tinygpt_tui.architectures.ensemble import Ensemble
from tinygpt_tui.architectures.widening import widened
from tinygpt_tui.checkpoints.adapters import hash_of
from tinygpt_tui.checkpoints.native import Checkpoint, open_checkpoint, write_beginning
from tinygpt_tui.checkpoints.vocabulary import read_tokenizer
from tinygpt_tui.corpora.aside import TOO_SHORT, set_aside
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.read import is_pairs, reading
from tinygpt_tui.errors import RunError, TinyGPTError, UnfitFile, UsageError, storage_error
from tinygpt_tui.events.training import Progress, TrainingEvent
from tinygpt_tui.reading import open_file
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.extending import text_changed
from tinygpt_tui.runs.folder import CorpusReference, RunFolder, RunSettings, StartingModel
from tinygpt_tui.settings.architecture import EncoderDecoderSettings
from tinygpt_tui.settings.model_config import Adapter
from tinygpt_tui.settings.tokenizer import CHARACTERS
from tinygpt_tui.settings.training import BY_DOCUMENT, TrainingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.documents import DocumentTokenizer, separator_of
from tinygpt_tui.tokenizers.ids import Ids
from tinygpt_tui.tokenizers.table import tokenizer_from
from tinygpt_tui.training.device import choose_device, devices
from tinygpt_tui.training.distributed import ALONE, ProcessGroup
from tinygpt_tui.training.evaluations import PROGRESS_S
from tinygpt_tui.training.fine_tuning import ONE_PROCESS, check_start, for_text, text_for, with_architecture
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.measure import choose
from tinygpt_tui.training.old_text import old_ids
from tinygpt_tui.training.vocabulary import tokenizer_for
from tinygpt_tui.words import threads as threads_in_words

R = TypeVar("R")
ONLY_PAIRS = "choose a task (--corpus task:reverse), or lines QUESTION=ANSWER with --documents lines --windows pairs"
NO_DOCUMENTS = "the text has no documents: its windows begin anywhere; `--documents lines` makes each line one"


@dataclass(frozen=True)
class Prepared:
    """A training that can start, and notes for its log."""

    training: Training
    notes: list[str]
    aside: Ids  # (K,), which no step reads: they calibrate the best weights
    save_at_once: bool = False  # the first state cannot be drawn again from the settings alone


class StoppedEarly(BaseException):
    """A stop came before the first step. No Exception: libraries catch those."""


def _until_stop(control: Control) -> AbstractContextManager[None]:
    """Return a context that raises StoppedEarly in its block once a stop comes."""
    return platforms.interruptible(lambda: control.pending("stop"), StoppedEarly)


def preparing(
    folder: RunFolder,
    settings: RunSettings,
    control: Control,
    group: ProcessGroup = ALONE,
    corpus: Corpus | None = None,
) -> Generator[TrainingEvent, None, Prepared]:
    """Read text and state, build the model, and write down what was decided; yields its progress.

    A `corpus` that was read already is used if its tokenizer is the right one. Raises CorpusError, UsageError,
    StorageError; RunError if the state is damaged, or another run's; StoppedEarly.
    """
    chosen = settings.training
    check_start(chosen, settings.start)
    with _until_stop(control):
        state = _read_state(folder.resume) if folder.resume.exists() else None
        base = _opened(settings.start, "to start from") if state is None and settings.start else None
        teachers = [_opened(teacher, "to learn from") for teacher in settings.teachers]
    if teachers and group.size > 1:
        raise UsageError(ONE_PROCESS, "start it without torchrun")
    if base is not None:
        chosen = with_architecture(chosen, base.config.architecture)  # what its headers left open is known now
        settings = msgspec.structs.replace(settings, training=chosen)
    tokenizer = _tokenizer_of(folder, settings, base or next(iter(teachers), None))
    if corpus is None or (tokenizer is not None and tokenizer.to_dict() != corpus.tokenizer.to_dict()):
        corpus, reference, notes = yield from _read_corpus(folder, settings, tokenizer, control)
    else:
        reference, notes = settings.corpus, []
    if chosen.windows == "auto":
        chosen = msgspec.structs.replace(chosen, windows="pairs" if is_pairs(reference.path) else "anywhere")
    if chosen.windows in BY_DOCUMENT and not isinstance(corpus.tokenizer, DocumentTokenizer):
        chosen = msgspec.structs.replace(chosen, windows="anywhere")
        notes = [*notes, NO_DOCUMENTS]
    architecture = msgspec.structs.replace(chosen.architecture, vocab_size=corpus.tokenizer.size)
    if isinstance(architecture, EncoderDecoderSettings):
        separator = separator_of(corpus.tokenizer)
        if separator is None or chosen.windows != "pairs":
            raise UsageError("an encoder-decoder learns questions with answers", ONLY_PAIRS)
        architecture = msgspec.structs.replace(architecture, separator=separator)
    chosen = msgspec.structs.replace(chosen, architecture=architecture)
    if not _is_placed(chosen, state, group) and group.size == 1:
        yield Progress(0, "measuring", 0.0)
    try:
        with _until_stop(control):
            chosen, device, measured = _place(chosen, state, group)
    except UsageError as error:
        command = platforms.command_line("tinygpt-tui", "resume", folder.model.name, "--device", "auto")
        elsewhere = f"continue it elsewhere: {command}"
        raise error if state is None else UsageError(error.message, elsewhere) from error
    notes += measured
    if chosen.mix_old and settings.start is not None:
        with _until_stop(control):
            corpus = dataclasses.replace(corpus, old=old_ids(settings.start, chosen, corpus.tokenizer))
    share = 0.0 if chosen.windows in BY_DOCUMENT else chosen.calibration_share  # its windows begin anywhere
    corpus, aside = set_aside(corpus, share, architecture.training_length)
    if share and not len(aside):
        notes.append(TOO_SHORT)
    with _until_stop(control):
        learned = Ensemble([teacher.model for teacher in teachers]).to(device) if teachers else None
        old_tokens = settings.start.tokens if settings.start else 0
        training = Training(chosen, corpus, device, control, settings.extensions, group, learned, old_tokens)
    training.evaluations.calibrated_on = len(aside)
    notes += [training.precision.words] if training.precision.halved else []
    notes += [training.evaluations.reads] if training.evaluations.reads else []
    group.start(training.settings, device, corpus, old_tokens)
    if state is not None:
        _load_state(training, state, folder.resume)
        notes.append(f"resuming from step {training.step}")
        if training.came_from:
            notes.append(
                f"until now it computed on {training.came_from}, from here on {device.type}: it trains as well, but "
                "the numbers are not bit for bit the same"
            )
        notes += [
            f"{chosen.steps:,} steps instead of {longer.steps_before:,}, as of step {longer.at:,}: the rate rises, "
            "then falls to the new end"
            for longer in settings.extensions[state.get("extensions", 0) :]
        ]
    else:
        if base is not None:
            notes.append(_load_weights(training, base))
        adapter = _adapter_of(settings, base) if chosen.lora else None
        write_beginning(folder.model, architecture, training.model.count_parameters(), corpus.tokenizer, adapter)
    folder.write_settings(msgspec.structs.replace(settings, training=chosen, corpus=reference))
    return Prepared(training, notes, aside, save_at_once=base is not None)


def _place(
    chosen: TrainingSettings, state: dict[str, Any] | None, group: ProcessGroup
) -> tuple[TrainingSettings, torch.device, list[str]]:
    """Decide where to compute, and with how many threads; a resumed run uses what it started with.

    Sums are computed in as many parts as there are threads: with another number the last bits differ.
    """
    if _is_placed(chosen, state, group):
        torch.set_num_threads(chosen.threads or (state or {}).get("threads") or torch.get_num_threads())
        return chosen, group.device(chosen.device) if group.size > 1 else choose_device(chosen.device), []
    if group.size > 1:
        # Trial steps say nothing while the other processes wait: each one gets its share of the cores.
        torch.set_num_threads(chosen.threads or max(1, (os.cpu_count() or 1) // group.size))
        device = group.device(chosen.device)
        chosen = msgspec.structs.replace(chosen, threads=torch.get_num_threads(), device=str(device))
        return chosen, device, [f"{group.size} processes share each step, with {threads_in_words(chosen.threads)} each"]
    choice = choose(chosen)
    if chosen.minutes:
        chosen = msgspec.structs.replace(chosen, steps=max(1, round(chosen.minutes * 60 / choice.step_s)))
    chosen = msgspec.structs.replace(chosen, threads=choice.threads, device=str(choice.device))
    return chosen, choice.device, [*choice.notes, choice.words]


def _is_placed(chosen: TrainingSettings, state: dict[str, Any] | None, group: ProcessGroup) -> bool:
    """Whether device and threads follow from the settings or the saved `state`, without trial steps."""
    one_place = chosen.device != "auto" or len(devices()) == 1
    return state is not None or bool(chosen.threads and one_place and group.size == 1)


def _opened(model: StartingModel, purpose: str) -> Checkpoint:
    """Open the model that the run needs for that purpose."""
    try:
        return open_checkpoint(Path(model.path))
    except TinyGPTError as error:
        raise RunError(f"the model {purpose} cannot be opened: {error.message}", error.hint) from error


def _tokenizer_of(folder: RunFolder, settings: RunSettings, base: Checkpoint | None) -> Tokenizer | None:
    """Return the tokenizer that the run must use, that of its `base` or teacher; None if one is made from its text.

    A run that resumes keeps its own, whatever has become of the file that it was read from.
    """
    if base is not None:
        return base.tokenizer
    resumes = settings.start is not None or (settings.training.tokenizer != CHARACTERS and folder.resume.exists())
    return tokenizer_from(read_tokenizer(folder.model)) if resumes else None


def _load_weights(training: Training, base: Checkpoint) -> str:
    """Give the training the weights of `base`; return a note for the log."""
    old, size = base.config.architecture, training.settings.architecture.vocab_size
    training.model.load_state_dict(widened(base.model.state_dict(), old, size, training.settings.seed))
    more = size - old.vocab_size
    words = f"starts from the weights of a model of {old.vocab_size} tokens"
    words += f", and {more} new ones" if more else ""
    if training.adapter is None:
        return words
    training.adapter.start_from_model()
    count, whole = training.adapter.count_parameters(), training.model.count_parameters()
    return f"{words}; an adapter of {count:,} parameters is trained, {count / whole:.1%} of the model's"


def _adapter_of(settings: RunSettings, base: Checkpoint | None) -> Adapter:
    """Return what the run's adapter is added to."""
    assert settings.start is not None
    assert base is not None
    weights = {name: tensor.numpy() for name, tensor in base.model.state_dict().items()}
    training = settings.training
    return Adapter(
        base=settings.start.name,
        path=settings.start.path,
        sha256=hash_of(weights),
        rank=training.lora,
        matrices=training.lora_matrices,
    )


def _read_corpus(
    folder: RunFolder, settings: RunSettings, tokenizer: Tokenizer | None, control: Control
) -> Generator[TrainingEvent, None, tuple[Corpus, CorpusReference, list[str]]]:
    """Return the corpus, how the run refers to it from now on, and notes for the log."""
    reference, chosen = settings.corpus, settings.training
    path = Path(reference.path)
    reporter = _ProgressReporter(control)
    found = yield from reporter.progress_of(reading(path, reference.encoding), 0.0)
    if reference.sha256 and found.sha256 != reference.sha256:
        raise text_changed(folder, path)
    if tokenizer:
        found = text_for(tokenizer, found)
        if not settings.teachers:  # which have no probabilities for other characters: they are left out
            tokenizer = for_text(tokenizer, found.alphabet)
    else:
        with _until_stop(control):
            tokenizer = tokenizer_for(chosen.tokenizer, found, chosen.validation_share)
    corpus = yield from reporter.progress_of(found.splitting(chosen, tokenizer), 0.5)
    reference = msgspec.structs.replace(reference, sha256=found.sha256, characters=found.characters)
    return corpus, reference, list(found.notes)


class _ProgressReporter:
    """Reports the progress of reading at most once a second, and obeys a stop."""

    def __init__(self, control: Control) -> None:
        self._control, self._at = control, time.monotonic()

    def progress_of(self, steps: Generator[float, None, R], start: float) -> Generator[TrainingEvent, None, R]:
        """Exhaust `steps`, which are half of the work, from `start` (a share of it) on. Raises StoppedEarly."""
        while True:
            try:
                with _until_stop(self._control):
                    share = next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if self._control.pending("stop"):
                raise StoppedEarly
            if time.monotonic() - self._at > PROGRESS_S:
                self._at = time.monotonic()
                yield Progress(0, "reading", start + share / 2)


def _read_state(path: Path) -> dict[str, Any]:
    """Read the saved state of a run. Raises RunError if it is damaged, StorageError."""
    try:
        with open_file(path) as file:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        if isinstance(error, UnfitFile) or error.errno is not None:
            raise storage_error(error, path) from error
        raise _damaged_state(path, "is damaged or was cut off") from error
    except Exception as error:  # torch's own, zip's or pickle's, depending on the damage
        raise _damaged_state(path, "is damaged or was cut off") from error
    if not isinstance(state, dict):
        raise _damaged_state(path, "is not the state of a training")
    return state


def _load_state(training: Training, state: dict[str, Any], path: Path) -> None:
    try:
        training.load_state(state)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError) as error:
        raise _damaged_state(path, "is of another run, or of another version of the program") from error


def _damaged_state(path: Path, what: str) -> RunError:
    """Return the error of a run that cannot resume from its saved state; its best weights are in another file."""
    again = platforms.own_command("train", "--from", path.parent.parent.name, "--corpus", "TEXT")
    return RunError(
        f"the saved state {path} {what}",
        f"its best weights are unharmed: {again} starts a run from them; or delete that file to train again from the "
        "first step",
    )
