"""Examine what is trained, in a process of its own with low priority: the text, its split, a fresh model on one batch.

`python -m tinygpt_tui.workers.examiner CASE` is that process; CASE is JSON. It writes each finding to stdout, a JSON
line each, as soon as it has it. A text is examined once: the result is cached by its hash. A Case with a `run` saves
its results in that run's folder, too. The text needs no torch, which is imported only to try the model.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.corpora.survey import surveying
from tinygpt_tui.doctor.examination import (
    Examination,
    cache_path,
    examination_of,
    examine,
    key_of,
    read_examination,
    run_path,
    write_examination,
    write_one_batch,
)
from tinygpt_tui.doctor.survey import survey_findings
from tinygpt_tui.errors import MissingPackageError, TinyGPTError
from tinygpt_tui.events.training import Finding, Progress
from tinygpt_tui.files import locked
from tinygpt_tui.packages import ONE_BATCH, import_torch
from tinygpt_tui.reading import decode
from tinygpt_tui.runs.folder import CorpusReference, RunFolder, StartingModel
from tinygpt_tui.runs.manage import is_own
from tinygpt_tui.runs.texts import text_of
from tinygpt_tui.settings.tokenizer import CHARACTERS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.vocabulary import tokenizer_for
from tinygpt_tui.workers.process import ONE_THREAD, Child

WAIT_S = 600.0  # for another examiner
TOLD_EVERY_S = 0.5
FIRST_TOKENS = 4096  # of the validation split, for the loss of the untrained model


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is trained, or is to be; `run` is the model folder of a run, and `one_batch` only tries its model."""

    corpus: CorpusReference
    training: TrainingSettings
    start: StartingModel | None = None
    run: str = ""
    one_batch: bool = False
    own: bool = False  # the text is the user's


class Examiner:
    """A process that examines a case; iterate for the findings, `close` when they are no longer needed."""

    def __init__(self, case: Case) -> None:
        """Raises OSError if no process can be started."""
        given = msgspec.json.encode(case).decode()
        self._child = Child("tinygpt_tui.workers.examiner", given, stdout=subprocess.PIPE, variables=ONE_THREAD)

    def __iter__(self) -> Iterator[Finding | Progress]:
        """Yield the findings as they come, and how far a survey is; one more if the process did not end normally."""
        for line in self._child.lines():
            yield decode(line, Finding | Progress)
        if self._child.wait() > 0:
            yield Finding(0, "doctor", "hint", "the doctor could not finish: its process ended")

    def close(self) -> None:
        """End the process, if it still runs."""
        self._child.kill()
        self._child.wait()


def start_examiner(run: RunFolder, *, one_batch: bool = False) -> None:
    """Start to examine the corpus of a run, or to try its model on one batch.

    `examination_of` and `read_one_batch` find the results. Errors are ignored: the results are an extra.
    """
    with contextlib.suppress(OSError, TinyGPTError):
        examiner = Examiner(case_of(run, one_batch=one_batch))
        # Reading to the end leaves no zombie if the process ends before this one.
        threading.Thread(target=_read_all, args=(examiner,), daemon=True, name="examiner").start()


def case_of(run: RunFolder, *, one_batch: bool = False) -> Case:
    """Return the case of a run. Raises TinyGPTError if its settings cannot be read."""
    settings = run.read_settings()
    path = str(run.model.absolute())
    return Case(corpus=settings.corpus, training=settings.training, run=path, one_batch=one_batch)


def examine_case(case: Case) -> Iterator[Finding | Progress]:
    """Yield what is found, and save it; of a text that was not trained on yet also how far its survey is.

    Raises NotFoundError, CorpusError, StorageError, MissingPackageError.
    """
    run = RunFolder(Path(case.run)) if case.run else None
    if run is not None and case.one_batch:
        finding = try_one_batch(run)
        write_one_batch(run, finding)
        yield finding
    elif run is not None:
        yield from examine_run(run).findings
    else:
        text = text_of(case.corpus)
        yield from _surveyed(case, text)
        found, corpus = _examined(case, text)
        yield from found.findings
        yield from _model_findings(case, _tokens_of(case, text, corpus))


def examine_run(run: RunFolder) -> Examination:
    """Return the examination of a run's text, which is made only once; save it in the run. Raises TinyGPTError.

    Every view of a run starts an examiner; they work one after another, so that a large text is in memory once.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # no lock here, or another one is slow: better twice than never
            place = cache_path("examining").with_suffix(".lock")
            place.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(place, WAIT_S))
        found = examination_of(run, run.read_settings())
        if found is None:
            case = case_of(run)
            found, _ = _examined(case, text_of(case.corpus))
    if is_own(run.model):
        write_examination(found, run_path(run), within=run.folder)
    return found


def try_one_batch(run: RunFolder) -> Finding:
    """Try whether a fresh model with a run's settings can memorise one batch of its text. Raises TinyGPTError."""
    import_torch(ONE_BATCH)
    from tinygpt_tui.doctor.one_batch import one_batch_finding

    case = case_of(run)
    text = text_of(case.corpus)
    corpus = _tokens_of(case, text, None)
    return one_batch_finding(_sized(case.training, corpus), corpus)


def _surveyed(case: Case, text: CorpusText) -> Iterator[Finding | Progress]:
    steps, told_at = surveying(text, case.training.validation_share), time.monotonic()
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            yield from survey_findings(end.value, own=case.own)
            return
        if time.monotonic() - told_at > TOLD_EVERY_S:
            told_at = time.monotonic()
            yield Progress(0, "survey", share)


def _examined(case: Case, text: CorpusText) -> tuple[Examination, Corpus]:
    """Return the cached examination of a case's text, or examine it now: its characters, whatever the tokenizer."""
    corpus = text.split(case.training)
    place = cache_path(key_of(text.sha256, case.training.validation_share, corpus.tokenizer.to_dict()))
    found = read_examination(place)
    if found is None:
        found = examine(text, corpus)
        write_examination(found, place)
    return found, corpus


def _model_findings(case: Case, corpus: Corpus) -> Iterator[Finding]:
    import_torch(ONE_BATCH)
    from tinygpt_tui.architectures.table import build
    from tinygpt_tui.doctor.curves import initial_loss
    from tinygpt_tui.doctor.one_batch import one_batch_finding
    from tinygpt_tui.training.evaluate import whole_loss

    training = _sized(case.training, corpus)
    if case.start is None:
        architecture = training.architecture
        loss = whole_loss(build(architecture), corpus.validation[:FIRST_TOKENS], architecture.block_size)
        yield initial_loss(loss, training)
    yield one_batch_finding(training, corpus)


def _tokens_of(case: Case, text: CorpusText, characters: Corpus | None) -> Corpus:
    """Return the text as the run's own tokens; `characters` if they are those."""
    training = case.training
    if characters is not None and (case.start is not None or training.tokenizer == CHARACTERS):
        return characters
    name = CHARACTERS if case.start is not None else training.tokenizer
    return text.split(training, tokenizer_for(name, text, training.validation_share))


def _sized(training: TrainingSettings, corpus: Corpus) -> TrainingSettings:
    """Return the settings with the vocabulary size of `corpus`."""
    architecture = msgspec.structs.replace(training.architecture, vocab_size=corpus.tokenizer.size)
    return msgspec.structs.replace(training, architecture=architecture)


def _read_all(examiner: Examiner) -> None:
    for _ in examiner:
        pass


def main() -> int:
    """Examine the case on the command line."""
    case = decode(sys.argv[1], Case)
    platforms.lower_priority(10 if case.run else 5)  # behind the run; a draft is waited for
    out = sys.stdout.buffer
    try:
        for finding in examine_case(case):
            out.write(msgspec.json.encode(finding) + b"\n")
            out.flush()
    except MissingPackageError as error:
        out.write(msgspec.json.encode(Finding(0, "net", "hint", error.message, error.hint)) + b"\n")
    except TinyGPTError as error:
        out.write(msgspec.json.encode(Finding(0, "text", "bad", error.message, error.hint)) + b"\n")
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
