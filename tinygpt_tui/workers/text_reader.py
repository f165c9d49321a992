"""Reads a large text in a process of its own, so that a form stays responsive and the reading can be cancelled.

`python -m tinygpt_tui.workers.text_reader PATH NAME ENTROPY CHOICES` is that process: JSON lines on stdout, the
fraction that is read, then the facts or an error.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import msgspec

from tinygpt_tui.corpora.formats import AS_IT_IS, Choices
from tinygpt_tui.corpora.gathering import is_gathered
from tinygpt_tui.errors import CorpusError, TinyGPTError
from tinygpt_tui.reading import decode
from tinygpt_tui.runs.text_facts import CorpusFacts, reading_facts
from tinygpt_tui.workers.process import Child

LARGE = 1 << 23  # bytes; reading less is faster than starting a process
EACH_S = 0.2


class _Line(msgspec.Struct, omit_defaults=True):
    share: float = 0.0
    facts: CorpusFacts | None = None
    message: str = ""
    hint: str = ""


class TextReader:
    """Reads a text; iterate over `fractions` to its end for the facts; `close` may be called from another thread."""

    def __init__(self, path: Path, name: str, entropy: float | None, choices: Choices = AS_IT_IS) -> None:
        self._given = path, name, entropy, choices
        self._child: Child | None = None
        self._closed = False

    def fractions(self) -> Generator[float, None, CorpusFacts]:
        """Yield the fraction that is read, as it grows; return the facts.

        Raises CorpusError, StorageError.
        """
        path, *_ = self._given
        try:
            large = path.stat().st_size > LARGE or is_gathered(str(path))
        except OSError:
            large = False  # reading it says what is wrong
        if not large:
            return (yield from reading_facts(*self._given))
        return (yield from self._by_child())

    def close(self) -> None:
        """End the reading; the iteration ends with an error."""
        self._closed = True
        if self._child is not None:
            self._child.kill()

    def _by_child(self) -> Generator[float, None, CorpusFacts]:
        path, name, entropy, choices = self._given
        arguments = str(path), name, "" if entropy is None else repr(entropy), msgspec.json.encode(choices).decode()
        with Child("tinygpt_tui.workers.text_reader", *arguments, stdout=subprocess.PIPE) as child:
            self._child = child
            if self._closed:
                child.kill()
            for content in child.lines():
                line = decode(content, _Line)
                if line.facts is not None:
                    return line.facts
                if line.message:
                    raise CorpusError(line.message, line.hint)
                yield line.share
        raise CorpusError(f"{path.name} could not be read: its reader ended", "it may be too large for the free memory")


def main() -> None:
    """Read the text named on the command line."""
    path, name, entropy, choices = Path(sys.argv[1]), sys.argv[2], sys.argv[3], decode(sys.argv[4], Choices)
    steps = reading_facts(path, name, float(entropy) if entropy else None, choices)
    written_at = 0.0
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return _write(_Line(facts=end.value))
        except TinyGPTError as error:
            return _write(_Line(message=error.message, hint=error.hint))
        if time.monotonic() - written_at > EACH_S:
            written_at = time.monotonic()
            _write(_Line(share=share))


def _write(line: _Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
