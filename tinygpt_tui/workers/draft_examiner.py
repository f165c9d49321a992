"""Examine a training before it begins: its text, its split, a fresh net of its settings; nothing is started or kept.

`python -m tinygpt_tui.workers.draft_examiner` is the process: it reads what is to be trained from stdin, one JSON line,
and writes the findings to stdout, a JSON line each, as it finds them. The text comes first; torch is
imported only then.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.corpora.corpus import split
from tinygpt_tui.doctor.examination import cache_path, examine, keep, key_of, read_examination
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.training import Finding
from tinygpt_tui.reading import decode
from tinygpt_tui.runs.folder import CorpusReference, StartingModel
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.workers.examiner import text_of
from tinygpt_tui.workers.process import command, environment

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
        self._process = subprocess.Popen(
            command("tinygpt_tui.workers.draft_examiner"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(case) + b"\n")
            self._process.stdin.close()

    def __iter__(self) -> Iterator[Finding]:
        """Yield the findings as they come; a word on it where the process ended otherwise than it should."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                yield decode(line, Finding)
        if self._process.wait() > 0:
            yield Finding(0, "doctor", "hint", "the doctor could not finish: its process ended")

    def close(self) -> None:
        """End the process, where it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


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
    """Examine the case on stdin."""
    platforms.lower_priority(5)
    out = sys.stdout.buffer
    try:
        case = decode(sys.stdin.buffer.readline(), Case)
        for finding in examine_case(case):
            out.write(msgspec.json.encode(finding) + b"\n")
            out.flush()
    except TinyGPTError as error:
        out.write(msgspec.json.encode(Finding(0, "text", "bad", error.message, error.hint)) + b"\n")
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
