"""Whether a text repeats itself, and what of it is in the text that its model was trained on; in small steps."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path

from msgspec.structs import replace

from tinygpt_tui.corpora.catalog import read_catalog
from tinygpt_tui.corpora.copies import Copy, copies
from tinygpt_tui.corpora.known_words import known_words
from tinygpt_tui.corpora.read import reading
from tinygpt_tui.errors import CorpusError, NotFoundError, TinyGPTError
from tinygpt_tui.events.generation import CopiedPassage, EndReason, GenerationEnded, GenerationEvent, TextChecked
from tinygpt_tui.events.requests import CheckText
from tinygpt_tui.insight.loops import find_loop
from tinygpt_tui.platforms import own_command
from tinygpt_tui.progress import part
from tinygpt_tui.runs.folder import CorpusReference, RunFolder
from tinygpt_tui.runs.texts import places_of
from tinygpt_tui.words import size

LARGEST, QUICK = (
    100 << 20,
    8 << 20,
)  # bytes of a training text that is read, and of one that is read without being asked
SHOWN_UNKNOWN = 20


class TextChecks:
    """Creates the jobs; the training text that was read last stays in memory for the next one."""

    def __init__(self) -> None:
        self.cached: tuple[CorpusReference, str] | None = None

    def job(self, request: CheckText) -> TextCheckJob:
        return TextCheckJob(request, self)


class TextCheckJob:
    """One check: iterate for TextChecked, with more and more of it done, and a GenerationEnded.

    The training text is what the run was trained on, without its validation split; of a text whose tokens are longer
    than characters that place is approximate.
    """

    def __init__(self, request: CheckText, checks: TextChecks) -> None:
        self._request, self._checks = request, checks
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def __iter__(self) -> Iterator[GenerationEvent]:
        job, began = self._request.job, time.perf_counter()
        steps = self._checked()
        reason: EndReason = "length"
        while True:
            try:
                done = next(steps)
            except StopIteration as end:
                yield end.value
                break
            if self._stopped:
                reason = "stopped"
                break
            yield TextChecked(job, min(done, 0.99))
        yield GenerationEnded(job, reason, 0, time.perf_counter() - began, None)

    def _checked(self) -> Generator[float, None, TextChecked]:
        request = self._request
        start, period = find_loop(request.text) or (0, 0)
        found = TextChecked(request.job, 1.0, start, period)
        try:
            settings = RunFolder(Path(request.model)).read_settings()
        except TinyGPTError:
            return replace(found, missing="the training text of this model is not known")
        found = replace(found, source=settings.corpus.name)
        try:
            source = yield from part(self._source(settings.corpus), 0.0, 0.2)
        except TinyGPTError as error:
            return replace(found, missing=error.message)
        end = int(len(source) * (1 - settings.training.validation_share))
        words = yield from part(known_words(_whole_words(request.text, request.start), source, end), 0.2, 0.5)
        copied = yield from part(copies(request.text[request.start :], source, end), 0.5, 1.0)
        return replace(
            found,
            words=words.words,
            known_words=words.known,
            unknown=words.unknown[:SHOWN_UNKNOWN],
            copied=tuple((first + request.start, last + request.start) for first, last in copied.spans),
            longest=copied.longest and _passage(copied.longest, request.start, source),
        )

    def _source(self, corpus: CorpusReference) -> Generator[float, None, str]:
        """Yield the share that is read; return the training text. Raises NotFoundError, CorpusError, StorageError."""
        cached = self._checks.cached
        if cached is not None and cached[0] == corpus:
            return cached[1]
        for path in places_of(corpus):
            count = path.stat().st_size
            if count > LARGEST:
                raise CorpusError(f"{corpus.name} is larger than {size(LARGEST)}", "only smaller texts are compared")
            if self._request.quick and count > QUICK:
                raise CorpusError(f"{corpus.name} is large ({size(count)})", "it is compared when you ask for it")
            read = yield from reading(path, corpus.encoding)
            if corpus.sha256 in ("", read.sha256):
                text = read.text
                self._checks.cached = corpus, text
                return text
        raise _not_here(corpus)


def _not_here(corpus: CorpusReference) -> NotFoundError:
    message = f"the training text, {corpus.name}, is not on this machine"
    known = next((name for name, row in read_catalog().items() if row.sha256 == corpus.sha256), None)
    if known is not None:
        message += f" ({own_command('data', '--download', known)})"
    return NotFoundError(message)


def _whole_words(text: str, start: int) -> str:
    """Return the text from `start`, with the whole of its first word and without a last one that may be cut off."""
    first, last = start, len(text)
    while text[start : start + 1].isalpha() and first and text[first - 1].isalpha():
        first -= 1
    while last > first and text[last - 1].isalpha():
        last -= 1
    return text[first:last]


def _passage(copy: Copy, shift: int, source: str) -> CopiedPassage:
    return CopiedPassage(copy.start + shift, copy.end + shift, source.count("\n", 0, copy.place) + 1)
