"""How sure a model is against how often it is right, measured in a process of its own with low priority.

`python -m tinygpt_tui.workers.reliability MODEL` is that process: each line that it writes is a Measured, as JSON.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from tinygpt_tui import platforms
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.generation.calibration import Reliability
from tinygpt_tui.reading import decode
from tinygpt_tui.workers.process import ONE_THREAD, Child


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """How much is `done`, and in the last one what was found, or the `problem`.

    By ten bars of how sure the model was of its most likely token, the least sure first: the `tokens`, the mean of how
    `sure` it was and how often it was `right`, None in a bar without tokens. Then the means over all of them; `error`
    is the expected calibration error.
    """

    done: float
    tokens: tuple[int, ...] = ()
    sure: tuple[float | None, ...] = ()
    right: tuple[float | None, ...] = ()
    confidence: float = 0.0
    accuracy: float = 0.0
    error: float = 0.0
    problem: str = ""
    hint: str = ""


class ReliabilityProcess:
    """Measures a model in another process: iterate over it, `close` it when it is no longer needed."""

    def __init__(self, model: str) -> None:
        """Raises OSError if no process can be started."""
        self._child = Child("tinygpt_tui.workers.reliability", model, stdout=subprocess.PIPE, variables=ONE_THREAD)

    def __iter__(self) -> Iterator[Measured]:
        """Yield what is known; the last one has the figures or a problem."""
        for line in self._child.lines():
            yield decode(line, Measured)
        if self._child.wait() > 0:
            yield Measured(done=1.0, problem="it could not be measured: the process ended")

    def close(self) -> None:
        """End the process, if it still runs."""
        self._child.kill()
        self._child.wait()


def measured(found: Reliability) -> Measured:
    """Return the figures as plain data."""
    return Measured(
        done=1.0,
        tokens=tuple(found.tokens.tolist()),
        sure=tuple(None if np.isnan(one) else float(one) for one in found.sure),
        right=tuple(None if np.isnan(one) else float(one) for one in found.right),
        confidence=found.confidence,
        accuracy=found.accuracy,
        error=found.error,
    )


def measuring(model: Path) -> Iterator[Measured]:
    """Yield how far it is, then the figures or the problem."""
    from tinygpt_tui.workers.calibrator import reliability_of

    steps = reliability_of(model)
    try:
        while True:
            yield Measured(done=min(next(steps), 0.99))
    except StopIteration as end:
        yield measured(end.value)
    except TinyGPTError as error:
        yield Measured(done=1.0, problem=error.message, hint=error.hint)


def main() -> int:
    """Measure the model on the command line."""
    platforms.lower_priority(5)
    with contextlib.suppress(BrokenPipeError):
        for one in measuring(Path(sys.argv[1])):
            sys.stdout.buffer.write(msgspec.json.encode(one) + b"\n")
            sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
