"""A run that dies many times: each life is a fork of a process that has torch already, and ends by kill -9.

`python killing.py MODEL SEED RANDOM` trains MODEL to its end. Its lives end inside the writing of each kind of file,
inside an evaluation, a sample, the loading of a state; then RANDOM more at any moment. One JSON object on stdout says
where they ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

import torch
import torch._dynamo  # the first step of an optimizer brings it in, and takes a second for it

from tinygpt_tui import files, platforms
from tinygpt_tui.events.training import Step
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import Journal
from tinygpt_tui.training import evaluate, evaluations, loop, recorder
from tinygpt_tui.training import run as run_module
from tinygpt_tui.training.loop import Training

WRITTEN = ("resume.pt", "weights.safetensors", "config.json", "status.json", "settings.json")
MOMENTS = ("half written", "not renamed", "just renamed")
ELSEWHERE = ("journal", "evaluation", "sample", "loading", "tokenizer.json half written")
PLACES = [*(f"{name} {moment}" for name in WRITTEN for moment in MOMENTS), *ELSEWHERE]
LONGEST_LIFE = 40  # steps, where the place of death is not come by


def die() -> NoReturn:
    """As the kernel would: nothing is flushed, nothing is said."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


class Halving:
    """A file that is written by halves."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, content: bytes) -> NoReturn:
        self._file.write(memoryview(content)[: len(content) // 2])
        self._file.flush()
        die()


def arm(place: str) -> None:
    """Have this process die at `place`, the first time it comes by."""
    name, _, moment = place.partition(" ")
    if moment:
        _arm_file(name, moment)
    elif place == "journal":
        _before(Journal, "append", lambda journal, events: _half_a_line(journal))
    elif place == "evaluation":
        plain = evaluations.summed_losses

        def some(*arguments: Any) -> Iterator[evaluate.Piece]:
            for number, piece in enumerate(plain(*arguments)):
                if number == 0:  # there may be no other: the part of the split that is read on the way is small
                    die()
                yield piece

        evaluations.summed_losses = some  # type: ignore[assignment]
    elif place == "sample":
        _before(loop, "sample_text", lambda *arguments: die())
    elif place == "loading":
        load = Training.load_state
        Training.load_state = lambda self, state: (load(self, state), die())[0]  # type: ignore[method-assign]


def _before(owner: Any, name: str, first: Callable[..., object]) -> None:
    plain = getattr(owner, name)
    times = iter(range(2))  # a little later than the first time: some of what is due is done

    def both(*arguments: Any) -> object:
        if next(times, None) is None:
            first(*arguments)
        return plain(*arguments)

    setattr(owner, name, both)


def _half_a_line(journal: Journal) -> NoReturn:
    journal._file.write(b'{"type":"Step","step":12')
    die()


def _arm_file(name: str, moment: str) -> None:
    plain, sync, sync_folder = files.whole_file, os.fsync, platforms.sync_folder
    now = [""]

    @contextlib.contextmanager
    def whole_file(path: Path, *size: int, **more: Any) -> Iterator[Any]:
        now[0] = path.name
        with plain(path, *size, **more) as file:
            yield Halving(file) if (path.name, moment) == (name, "half written") else file
        now[0] = ""

    def at(wanted: str, call: Callable[[Any], None]) -> Callable[[Any], None]:
        def calling(argument: Any) -> None:
            if (now[0], moment) == (name, wanted):
                die()
            call(argument)

        return calling

    files.whole_file = whole_file  # type: ignore[assignment]
    os.fsync = at("not renamed", sync)
    platforms.sync_folder = at("just renamed", sync_folder)


def live(model: Path, place: str) -> NoReturn:
    """Train until death or the end."""
    torch.set_num_threads(1)
    evaluate.TOKENS_AT_ONCE = 64
    recorder.STATUS_EVERY_S, recorder.RESUME_EVERY_S, recorder.RESUME_AFTER_EVALUATION_S = 0.1, 0.2, 0.0
    recorder.RESUME_SHARE = float("inf")
    os.fsync = lambda handle: None  # slow, and only a power cut could tell
    if place in PLACES:
        arm(place)
    steps = 0
    for event in run_module.run_training(model):
        steps += isinstance(event, Step)
        if steps == LONGEST_LIFE and place in PLACES:
            die()
    os._exit(0)


def one_life(model: Path, place: str, seconds: float | None) -> bool:
    """Fork, and wait for the end; return whether it was a violent one."""
    child = os.fork()
    if not child:
        try:
            live(model, place)
        finally:
            os._exit(1)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0, f"it broke down at: {place}"
    return False


def main() -> None:
    """Kill it everywhere, then anywhere, then let it end."""
    model, seed, more = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chosen = random.Random(seed)
    places = PLACES if more else []
    deaths: Counter[str] = Counter()
    for place in chosen.sample(places, len(places)) + ["anywhere"] * more:
        seconds = chosen.uniform(0, 0.2) if place == "anywhere" else None
        deaths[place] += one_life(model, place, seconds)
    began = time.perf_counter()
    assert not one_life(model, "", None)
    status = RunFolder(model).read_status()
    print(json.dumps({"deaths": deaths, "state": status.state, "last_life_s": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
