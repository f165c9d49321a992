"""Measure a run's corpus in a process of its own, behind all others: its yardsticks and what is wrong with it.

`python -m tinygpt_tui.workers.examiner MODEL_FOLDER` is that process; what it finds is kept by the corpus' hash, so
that it is done once for a text. It needs no torch, but where the run's net is tried as well (`--one-batch`).
"""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.corpora.catalog import list_corpora
from tinygpt_tui.corpora.corpus import CorpusText, read_text, split
from tinygpt_tui.doctor.examination import (
    Examination,
    cache_path,
    examine,
    keep,
    keep_one_batch,
    kept_of,
    key_of,
    run_path,
)
from tinygpt_tui.errors import NotFoundError, TinyGPTError
from tinygpt_tui.events.training import Finding
from tinygpt_tui.files import is_file
from tinygpt_tui.packages import ONE_BATCH as TRYING
from tinygpt_tui.packages import import_torch
from tinygpt_tui.runs.folder import CorpusReference, RunFolder
from tinygpt_tui.runs.manage import is_own
from tinygpt_tui.workers.process import ONE_THREAD, Child

ONE_BATCH = "--one-batch"


def start_examiner(run: RunFolder, *, one_batch: bool = False) -> None:
    """Begin to examine the corpus of a run, or to try its net on one batch.

    `kept_of` and `read_one_batch` find the results. What fails, fails silently: it is an extra.
    """
    with contextlib.suppress(OSError):
        arguments = [str(run.model.absolute()), *([ONE_BATCH] if one_batch else [])]
        child = Child("tinygpt_tui.workers.examiner", *arguments, variables=ONE_THREAD)
        # If it ends before us it must not stay behind as a zombie.
        threading.Thread(target=child.wait, daemon=True, name="the examiner's end").start()


def examine_run(run: RunFolder) -> Examination:
    """Examine the text of a run, where nobody has; keep and return the result. Raises TinyGPTError."""
    settings = run.read_settings()
    found = kept_of(run, settings)
    if found is None:
        training = settings.training
        text = text_of(settings.corpus)
        corpus = split(text.text, training.architecture.training_length, training.validation_share)
        found = examine(text.text, corpus)
        keep(found, cache_path(key_of(text.sha256, training.validation_share, corpus.tokenizer.to_dict())))
    if is_own(run.model):
        keep(found, run_path(run), within=run.folder)
    return found


def try_one_batch(run: RunFolder) -> Finding:
    """Try whether a fresh net of a run's settings learns one batch of its text by heart. Raises TinyGPTError."""
    import_torch(TRYING)
    from tinygpt_tui.doctor.one_batch import one_batch_finding

    settings = run.read_settings()
    training = settings.training
    text = text_of(settings.corpus)
    corpus = split(text.text, training.architecture.training_length, training.validation_share)
    architecture = msgspec.structs.replace(training.architecture, vocab_size=corpus.tokenizer.size)
    return one_batch_finding(msgspec.structs.replace(training, architecture=architecture), corpus)


def is_here(corpus: CorpusReference) -> bool:
    """Whether the text a run learns from seems to be on this machine."""
    return bool(_places(corpus))


def text_of(corpus: CorpusReference) -> CorpusText:
    """Read the text a run learns from, where it was or where the catalogue has it now.

    Raises NotFoundError, CorpusError.
    """
    for path in _places(corpus):
        text = read_text(path, corpus.encoding)
        if corpus.sha256 in ("", text.sha256):
            return text
    raise NotFoundError(f"the text {corpus.name} is not on this machine", f"put it back: {corpus.path}")


def _places(corpus: CorpusReference) -> list[Path]:
    """Return the files that may be a text."""
    # A shipped run knows only the name of its file.
    own = [Path(corpus.path)] if Path(corpus.path).is_absolute() else []
    known = [Path(entry.path) for entry in list_corpora() if entry.path and entry.row.sha256 == corpus.sha256]
    return [path for path in [*own, *known] if is_file(path)]


def main() -> int:
    """Examine the corpus of the model folder named on the command line."""
    platforms.lower_priority(10)
    try:
        run = RunFolder(Path(sys.argv[1]))
        if ONE_BATCH in sys.argv[2:]:
            keep_one_batch(run, try_one_batch(run))
        else:
            examine_run(run)
    except TinyGPTError as error:
        print(error.message, error.hint, sep="\n", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
