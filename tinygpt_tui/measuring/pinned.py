"""One thread on one core, for as long as something is measured."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from tinygpt_tui import platforms


@contextlib.contextmanager
def one_core() -> Iterator[int | None]:
    """Give torch one thread, and hold this process and what it starts on one core where the platform can.

    Yields that core's number, None where it cannot be held; all is as before afterwards.
    """
    torch: Any = sys.modules.get("torch")  # where nothing has imported it, nothing measures it
    if torch is not None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
    try:
        with platforms.one_core() as core:
            yield core
    finally:
        if torch is not None:
            torch.set_num_threads(threads)
