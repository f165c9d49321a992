"""When an open session is written to its file: soon after each generation, and at intervals while text streams.

The larger the file, the longer the intervals: a session of a megabyte must not keep a disk busy. The caller passes the
time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.sessions.document import Session
from tinygpt_tui.sessions.store import SessionStore

if TYPE_CHECKING:
    import filelock

SOON_S = 1.0  # between two writes, whatever happens
STREAMING_S = 3.0  # of text that is at risk while it streams into a small file
LONGEST_S = 60.0
BYTES_PER_S = 50_000  # of disk that streaming may use
RETRY_S = 15.0  # after a write that failed

Save = Callable[[], TinyGPTError | None]


class AutoSave:
    """Writes one open session.

    `streamed` and `changed` note that there is something to write; `start_save` returns what writes it, which
    returns an error to show the first time that writing fails; the session stays in memory and is tried again.
    """

    def __init__(self, store: SessionStore, lock: filelock.BaseFileLock | None = None) -> None:
        """`lock`: the session's, if it is locked already; else it is locked with the first write."""
        self._store, self._lock = store, lock
        self._version = self._written = 0
        self._urgent = self._busy = False
        self.error: TinyGPTError | None = None  # why the last write failed; None if it did not
        self._tried_at = -math.inf
        self._size_bytes = 0
        self._one_at_a_time = threading.Lock()

    @property
    def dirty(self) -> bool:
        """Whether something is not saved yet."""
        return self._version != self._written

    @property
    def settled(self) -> bool:
        """Whether everything is saved and no write is running."""
        return not self.dirty and not self._busy

    @property
    def interval_s(self) -> float:
        """How long streamed text may wait."""
        return min(LONGEST_S, max(STREAMING_S, self._size_bytes / BYTES_PER_S))

    def streamed(self) -> None:
        """Note that text was added."""
        self._version += 1

    def changed(self) -> None:
        """Note a change that should be saved soon: a start, an end, a name."""
        self._version += 1
        self._urgent = True

    def due(self, now: float) -> bool:
        """Whether it is time to write; `now` in seconds, on any clock that only goes forward."""
        if self._busy or not self.dirty:
            return False
        wait_s = RETRY_S if self.error is not None else SOON_S if self._urgent else self.interval_s
        return now - self._tried_at >= wait_s

    def start_save(self, session: Session, now: float) -> Save:
        """Return the function that writes `session` as it is now; call it in a thread."""
        self._busy, self._urgent, self._tried_at = True, False, now
        version = self._version
        return lambda: self._write(session, version)

    def write_now(self, session: Session) -> TinyGPTError | None:
        """Write `session` now, if something is not saved; return the error, if any."""
        self._write(session, self._version)
        return self.error

    def release(self) -> None:
        """Unlock the session for other processes."""
        self._store.release(self._lock)
        self._lock = None

    def _write(self, session: Session, version: int) -> TinyGPTError | None:
        with self._one_at_a_time:
            try:
                if version > self._written:  # else a later version was written before
                    if self._lock is None:
                        self._lock = self._store.claim(session.id)
                    self._size_bytes = self._store.save(session)
                    self._written = version
                self.error = None
            except TinyGPTError as error:
                first, self.error = self.error is None, error
                return error if first else None
            finally:
                self._busy = False
        return None
