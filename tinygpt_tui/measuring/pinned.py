"""One thread on one core, for as long as something is measured."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def one_core() -> Iterator[int | None]:
    """Give torch one thread, and hold this process and what it starts on one core where the platform can.

    Yields that core's number, None where it cannot be held; all is as before afterwards.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    allowed: set[int] = set()
    if sys.platform == "linux":
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(allowed)})  # the first one is where most of the system's own work is done
    try:
        yield max(allowed, default=None)
    finally:
        torch.set_num_threads(threads)
        if sys.platform == "linux":
            os.sched_setaffinity(0, allowed)
