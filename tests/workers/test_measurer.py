"""The measurement of the machine's speed ends when its caller closes it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tinygpt_tui.workers import measurer
from tinygpt_tui.workers.measurer import Measurer


class Endless:
    """Stands for Child: runs until it is killed."""

    def __init__(self, module: str) -> None:
        self._killed = threading.Event()
        started.set()

    def __enter__(self) -> Endless:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def kill(self) -> None:
        self._killed.set()

    def wait(self, timeout_s: float) -> int:
        return -9 if self._killed.wait(timeout_s) else 0


started = threading.Event()


@pytest.mark.parametrize("before", [True, False], ids=["before it starts", "while it runs"])
def test_closing_ends_it(before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurer, "Child", Endless)
    started.clear()
    one = Measurer()
    with ThreadPoolExecutor(1) as pool:
        if before:
            one.close()
        done = pool.submit(one.measure)
        assert started.wait(240)
        one.close()
        assert done.result(30) is False
