"""Checks a device in a process of its own with time limits: a check that fails or hangs does not end the others."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import psutil

from tinygpt_tui.errors import UsageError
from tinygpt_tui.measuring.device_report import (
    FORMAT,
    LIMITS,
    QUICK_LIMIT_S,
    STARTING_S,
    TOTAL_S,
    CheckResult,
    DeviceFacts,
    DeviceReport,
    Message,
)
from tinygpt_tui.reading import Damage, decode
from tinygpt_tui.words import shortened
from tinygpt_tui.workers.process import child_command, environment

UNKNOWN = DeviceFacts(device="?", name="?", memory_bytes=0.0, versions={}, system="")
MODULE = "tinygpt_tui.measuring.device_checks"
LEAST_S = 5.0  # with less left a check is not started


@dataclass
class DeviceCheck:
    """The checks of one device: iterate over `results`, then read the `report`."""

    device: str = "auto"
    quick: bool = False
    total_s: float = TOTAL_S
    module: str = field(default_factory=lambda: MODULE)
    facts: DeviceFacts = UNKNOWN
    checks: list[CheckResult] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def results(self) -> Iterator[CheckResult]:
        """Yield each check's result as it comes. Raises UsageError if the device is missing."""
        waiting = list(LIMITS)
        while waiting:
            if self._left_s() < LEAST_S:
                for name in waiting:
                    yield self._add(_failed(name, 0.0, "no time was left for it"))
                return
            for result in self._in_one_process(list(waiting)):
                waiting.remove(result.name)
                yield self._add(result)
            if self.facts is UNKNOWN:  # no process can be started: one try is enough
                for name in waiting:
                    yield self._add(_failed(name, 0.0, "the process of the checks did not start"))
                return

    def report(self) -> DeviceReport:
        return DeviceReport(
            format=FORMAT,
            facts=self.facts,
            quick=self.quick,
            passed=all(check.status != "failed" for check in self.checks),
            seconds=round(time.monotonic() - self._began, 1),
            checks=self.checks,
        )

    def _add(self, result: CheckResult) -> CheckResult:
        self.checks.append(result)
        return result

    def _left_s(self) -> float:
        return self.total_s - (time.monotonic() - self._began)

    def _limit_s(self, name: str) -> float:
        return min(QUICK_LIMIT_S if self.quick else LIMITS[name], self._left_s())

    def _in_one_process(self, names: list[str]) -> Iterator[CheckResult]:
        """Yield results until one failed, or all are there; the first one that did not come failed."""
        asked = [f"{name}={self._limit_s(name):.1f}" for name in names]
        with tempfile.TemporaryFile() as log:
            yield from self._watched(names, asked, log)

    def _watched(self, names: list[str], asked: list[str], log: IO[bytes]) -> Iterator[CheckResult]:
        process = subprocess.Popen(
            child_command(self.module, self.device, "quick" if self.quick else "full", *asked),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
        )
        assert process.stdout is not None
        lines: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            began, first = time.monotonic(), self._next(lines, min(STARTING_S, self._left_s()))
            if first is not None and first.error is not None:
                raise UsageError(*first.error)
            if first is None or first.facts is None:
                why = _end(process, log) or "it took too long"
                yield _failed(names[0], time.monotonic() - began, f"the process of the checks did not start: {why}")
                return
            self.facts = first.facts
            for name in names:
                began, limit_s, so_far = time.monotonic(), self._limit_s(name), None
                while True:
                    message = self._next(lines, began + limit_s - time.monotonic())
                    if message is None:
                        words = _end(process, log) or f"it took longer than {limit_s:.0f} s"
                        yield _failed(name, time.monotonic() - began, words, so_far.found if so_far else {})
                        return
                    if message.result is not None:
                        yield message.result
                        if message.result.status == "failed":
                            return
                        break
                    so_far = message.so_far
        finally:
            _end_all(process)
            reader.join()

    @staticmethod
    def _next(lines: queue.SimpleQueue[Message | None], seconds: float) -> Message | None:
        """Return the next message; None where none comes in time, or ever."""
        try:
            return lines.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None


def _read(stream: IO[bytes], lines: queue.SimpleQueue[Message | None]) -> None:
    with stream:
        for line in stream:
            with contextlib.suppress(Damage):
                lines.put(decode(line, Message))
    lines.put(None)


def _failed(name: str, seconds: float, words: str, found: dict[str, object] | None = None) -> CheckResult:
    return CheckResult(name=name, status="failed", seconds=seconds, words=words, found=found or {})


def _end(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Return how the process ended, and the last thing it said, in words; empty while it runs."""
    try:
        code = process.wait(0.5)
    except subprocess.TimeoutExpired:
        return ""
    log.seek(0)
    said = log.read().decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(said) if line.strip()), "")
    return f"its process ended with exit code {code}" + (f" ({shortened(last, 160)})" if last else "")


def _end_all(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
