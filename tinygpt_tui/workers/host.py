"""The engine process: requests as JSON lines on stdin, events as JSON lines on stdout.

A thread reads requests, so that a stop is seen at the next token; the main thread takes one token from each running job
in turn. When stdin ends, because the app is gone however it went, so does the process.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

from tinygpt_tui.events import wire
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, Token
from tinygpt_tui.events.requests import JobRequest, Request, StopJob
from tinygpt_tui.reading import Damage
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.workers.leash import leave_soon
from tinygpt_tui.workers.pump import Pump

GOODBYE_S = 1.0

Asked = tuple[float, Request] | None  # when (perf_counter) and what; None: stdin has ended


def main(frames_per_second: str = "30", device: str = AUTO) -> int:
    """Serve until stdin ends; tokens leave at most `frames_per_second` times a second. Models compute on `device`.

    Whatever a library prints goes to stderr: stdout carries events alone.
    """
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # A reader of its own: a thread that waits in sys.stdin would abort the interpreter on its way out.
    stream = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    requests: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(stream, requests), daemon=True).start()

    # Only now, with requests already being read: numpy takes a tenth of a second, torch (where it is needed) longer.
    from tinygpt_tui.workers.service import EngineService

    service = EngineService(device)
    pump: Pump[GenerationEvent] = Pump(lambda event: isinstance(event, Token), float(frames_per_second))

    def send(event: GenerationEvent) -> None:
        _write(output, pump.push(event))

    try:
        send(service.ready())
        while True:
            if not service.busy:
                _write(output, pump.flush())  # no next event would send them
            for asked in _without_stopped(_waiting(requests, block=not service.busy), send):
                if asked is None:
                    return 0
                for event in service.handle(*asked):
                    send(event)
            for event in service.advance():
                send(event)
    except BrokenPipeError:
        return 0  # the reader is gone


def _read_requests(stream: IO[bytes], requests: queue.SimpleQueue[Asked]) -> None:
    for line in stream:
        try:
            requests.put((time.perf_counter(), wire.request(line)))
        except Damage as error:
            print(f"a request that cannot be read was left out: {error}", file=sys.stderr)
    requests.put(None)
    leave_soon(GOODBYE_S)  # in the middle of a long prompt, or importing


def _waiting(requests: queue.SimpleQueue[Asked], block: bool) -> list[Asked]:
    """Return all requests that have come; with nothing to do, wait for the next one."""
    found = [requests.get()] if block else []
    while not requests.empty():
        found.append(requests.get())
    return found


def _without_stopped(found: list[Asked], say: Callable[[GenerationEvent], None]) -> list[Asked]:
    """End jobs whose stop is among the requests that were found, too: no model is opened for them."""
    stopped = {asked[1].job for asked in found if asked and isinstance(asked[1], StopJob)}
    left = []
    for asked in found:
        if asked and isinstance(asked[1], JobRequest) and asked[1].job in stopped:
            say(GenerationEnded(asked[1].job, "stopped", tokens=0, seconds=0.0, seconds_to_first=None))
        else:
            left.append(asked)
    return left


def _write(output: IO[bytes], events: list[GenerationEvent]) -> None:
    rest = memoryview(b"".join(wire.to_line(event) for event in events))
    while rest:
        rest = rest[output.write(rest) :]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
