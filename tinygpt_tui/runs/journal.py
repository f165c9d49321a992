"""The journal of a run: one event a line, append only, readable while it grows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tinygpt_tui.errors import storage_error
from tinygpt_tui.events.training import TrainingEvent
from tinygpt_tui.events.wire import to_line, training_event
from tinygpt_tui.reading import Damage, open_file

LONGEST_LINE = 1 << 20  # bytes; no event's line is nearly so long


class Journal:
    """The writing end; a line is flushed before its event is shown anywhere."""

    def __init__(self, path: Path) -> None:
        """Open `path` to append; a last line cut off by a kill is removed first. Raises StorageError."""
        self._path = path
        try:
            path.parent.mkdir(exist_ok=True)
            # Unbuffered: an incomplete line is cut off at once, and nothing is written later.
            self._file = path.open("ab", buffering=0)
            _mend(path)
        except OSError as error:
            raise storage_error(error, path) from error

    def append(self, events: Iterable[TrainingEvent]) -> None:
        """Write `events`, whole lines or none. Raises StorageError if the disk is full."""
        place = os.fstat(self._file.fileno()).st_size
        rest = memoryview(b"".join(to_line(event) for event in events))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            os.ftruncate(self._file.fileno(), place)
            raise storage_error(error, self._path) from error

    def sync(self) -> None:
        """Make what was written survive a power cut, too. Raises StorageError."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise storage_error(error, self._path) from error

    def close(self) -> None:
        self._file.close()


class JournalFollower:
    """The reading end: each `poll` returns the events since the last one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0

    def poll(self) -> list[TrainingEvent]:
        """Return the new events; none if the journal has not grown, or is not there yet.

        An incomplete line is read when it is complete. A journal that shrank (repaired, or started again) is read again
        from its start. Lines of a newer version that this one cannot read are left out.
        """
        try:
            size = self._path.stat().st_size
            if size < self._place:
                self._place = 0
            if size == self._place:
                return []
            with open_file(self._path) as file:
                file.seek(self._place)
                content = file.read()
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._place += len(whole)
        return _events(whole)


def read_journal(path: Path) -> list[TrainingEvent]:
    """Return all events of a journal, as far as it can be read."""
    return JournalFollower(path).poll()


def last_event(path: Path) -> TrainingEvent | None:
    """Return the last event of a journal; None if there is none that can be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_LINE))
            lines = file.read().splitlines()
    except OSError:
        return None
    return next(iter(_events(lines[-1])), None) if lines else None


def _events(lines: bytes) -> list[TrainingEvent]:
    events = []
    for line in lines.splitlines():
        try:
            events.append(training_event(line))
        except Damage:
            continue
    return events


def _mend(path: Path) -> None:
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return
        back = min(size, LONGEST_LINE)
        file.seek(size - back)
        end = file.read(back).rfind(b"\n") + 1
        if end < back:
            file.truncate(size - back + end)
