"""Threads that read files for requests; the server never waits for them, not even when it ends.

The threads of an executor are joined at exit: a file on a slow or dead network disk would keep the process alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

THREADS = 32  # at once; further requests wait for their turn


class FileThreads:
    """Runs blocking work for one event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(THREADS)

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises."""
        async with self._free:
            loop = asyncio.get_running_loop()
            done: asyncio.Future[T] = loop.create_future()

            def answer(call: Callable[[], None]) -> None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
                    loop.call_soon_threadsafe(lambda: None if done.done() else call())

            def read() -> None:
                try:
                    result = work()
                except BaseException as error:
                    answer(lambda error=error: done.set_exception(error))  # type: ignore[misc]
                else:
                    answer(lambda: done.set_result(result))

            threading.Thread(target=read, name="file reader", daemon=True).start()
            return await done
