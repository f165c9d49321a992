"""Examine a training before it begins: its text, its split, a fresh net of its settings; nothing is started or kept.

`python -m tinygpt_tui.workers.draft_examiner CASE` is the process: CASE is JSON, what is to be trained. It writes the
findings to stdout, a JSON line each, as it finds them. The text comes first; torch is
imported only then.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.corpora.corpus import split
from tinygpt_tui.doctor.examination import cache_path, examine, keep, key_of, read_examination
from tinygpt_tui.errors import MissingPackageError, TinyGPTError
from tinygpt_tui.events.training import Finding
from tinygpt_tui.packages import ONE_BATCH, import_torch
from tinygpt_tui.reading import decode
from tinygpt_tui.runs.folder import CorpusReference, StartingModel
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.workers.examiner import text_of
from tinygpt_tui.workers.process import ONE_THREAD, Child

JUDGED = 4096  # tokens that the untrained net is shown


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be trained."""

    corpus: CorpusReference
    training: TrainingSettings
    start: StartingModel | None = None


class DraftExaminer:
    """A process that examines; iterate for the findings, and `close` whenever nobody wants them any more."""

    def __init__(self, case: Case) -> None:
        """Raises OSError where no process can be started."""
        given = msgspec.json.encode(case).decode()
        self._child = Child("tinygpt_tui.workers.draft_examiner", given, stdout=subprocess.PIPE, variables=ONE_THREAD)

    def __iter__(self) -> Iterator[Finding]:
        """Yield the findings as they come; one more where the process ended otherwise than it should."""
        for line in self._child.lines():
            yield decode(line, Finding)
        if self._child.wait() > 0:
            yield Finding(0, "doctor", "hint", "the doctor could not finish: its process ended")

    def close(self) -> None:
        """End the process, where it still runs."""
        self._child.kill()
        self._child.wait()


def examine_case(case: Case) -> Iterator[Finding]:
    """Yield what the text tells, then what a fresh net does. Raises NotFoundError, CorpusError, StorageError."""
    training = case.training
    length, share = training.architecture.training_length, training.validation_share
    text = text_of(case.corpus)
    corpus = split(text.text, length, share)
    place = cache_path(key_of(text.sha256, share, corpus.tokenizer.to_dict()))
    found = read_examination(place)
    if found is None:
        found = examine(text.text, corpus)
        keep(found, place)  # whoever trains on it wants to know the same
    yield from found.findings

    import_torch(ONE_BATCH)
    from tinygpt_tui.architectures.table import build
    from tinygpt_tui.doctor.curves import initial_loss
    from tinygpt_tui.doctor.one_batch import one_batch_finding
    from tinygpt_tui.training.evaluate import whole_loss

    architecture = msgspec.structs.replace(training.architecture, vocab_size=corpus.tokenizer.size)
    training = msgspec.structs.replace(training, architecture=architecture)
    if case.start is None:
        loss = whole_loss(build(architecture), corpus.validation[:JUDGED], architecture.block_size)
        yield initial_loss(loss, training)
    yield one_batch_finding(training, corpus)


def main() -> int:
    """Examine the case on the command line."""
    platforms.lower_priority(5)
    out = sys.stdout.buffer
    try:
        case = decode(sys.argv[1], Case)
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
