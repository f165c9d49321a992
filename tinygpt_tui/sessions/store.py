"""The folder of sessions: a file each, written whole or not at all, and a trash.

The process that has a session open holds its lock, so that two windows on one home cannot overwrite each other: the
second one gets a copy.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tinygpt_tui import files, paths
from tinygpt_tui.errors import NotFoundError, SessionError, StorageError, TinyGPTError, storage_error
from tinygpt_tui.reading import open_file, read_bytes
from tinygpt_tui.sessions.document import Session, moment
from tinygpt_tui.sessions.encoding import Head, from_bytes, head_from_bytes, to_bytes, with_head
from tinygpt_tui.sessions.tree import one_line

if TYPE_CHECKING:
    import filelock

SUFFIX = ".session"
TRASH_HOLDS = 100  # sessions; the oldest is deleted for good
COPY = "another window has this session open: this is a copy"
HEAD_BYTES, LONGEST_HEAD = 16_384, 16 << 20
LARGEST = 1 << 30  # bytes

Clock = Callable[[], datetime]


class SessionCard(NamedTuple):
    """One line of the list of sessions; `problem` is why it cannot be opened, if it cannot."""

    id: str
    head: Head
    size_bytes: int = 0
    problem: str = ""

    @property
    def heading(self) -> str:
        """The title, or the first words."""
        return self.head.title or self.head.first_words


class Opened(NamedTuple):
    """A session as it was opened, with its lock (None: not saved yet), a notice for the user, and a place.

    The place to show is a branch and a character of its full text.
    """

    session: Session
    lock: filelock.BaseFileLock | None = None
    notice: str = ""
    place: tuple[int, int] | None = None


class SessionStore:
    """The folder of sessions. All methods except `new` and `release` use the disk: call them in a thread."""

    def __init__(self, folder: Path | None = None, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self.folder = folder or paths.sessions_folder()
        self.clock = clock

    @property
    def trash(self) -> Path:
        return self.folder / ".trash"

    def path(self, id: str) -> Path:
        return self.folder / f"{id}{SUFFIX}"

    def new(self) -> Session:
        """Return an empty session with an id of its own; it has no file yet."""
        now = self.clock()
        id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        return Session(id=id, created_at=moment(now), changed_at=moment(now))

    def cards(self) -> list[SessionCard]:
        """Return a card for each session, the last changed first; reads only each file's first line."""
        try:
            names = [entry.name for entry in os.scandir(self.folder) if entry.name.endswith(SUFFIX)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(error, self.folder) from error
        found = [card for name in names if (card := self._card(name.removesuffix(SUFFIX)))]
        return sorted(found, key=lambda card: (card.head.changed_at, card.id), reverse=True)

    def load(self, id: str) -> Session:
        """Read a session. Raises NotFoundError, StorageError, SessionError if it is damaged or too new."""
        return self._decoded(id, self._read(id))

    def load_if(self, id: str, wanted: Callable[[bytes], bool]) -> Session | None:
        """Read a session if its file's content is `wanted`; else return None. Raises as `load`."""
        content = self._read(id)
        return self._decoded(id, content) if wanted(content) else None

    def _decoded(self, id: str, content: bytes) -> Session:
        try:
            return from_bytes(content, id)
        except SessionError as error:
            raise SessionError(f"{self.path(id).name} cannot be opened: {error.message}", error.hint) from None

    def open(self, id: str) -> Opened:
        """Read a session and lock it; if another process has it open, open a copy. Raises as `load`."""
        notice, lock = "", None
        try:
            lock = self.claim(id)
        except SessionError:
            notice = COPY
        except StorageError as error:
            notice = f"{error.message}: this is a copy"
        try:
            session = self.load(id)
        except TinyGPTError:
            self.release(lock)
            raise
        if lock is None:
            title = one_line(f"{session.heading} (copy)")
            session = msgspec.structs.replace(session, id=self.new().id, title=title)
        return Opened(session, lock, notice)

    def save(self, session: Session) -> int:
        """Write a session, whole or not at all; return how many bytes that was. Raises StorageError."""
        content = to_bytes(session)
        files.write_bytes(self.path(session.id), content)
        return len(content)

    def rename(self, id: str, title: str) -> None:
        """Give a session that is not open another title. Raises SessionError if it is open."""
        with self._claimed(id):
            content = self._read(id)
            head = head_from_bytes(content.split(b"\n", 1)[0])
            files.write_bytes(self.path(id), with_head(content, msgspec.structs.replace(head, title=one_line(title))))

    def delete(self, id: str) -> None:
        """Move a session that is not open to the trash. Raises SessionError if it is open."""
        path, trashed = self.path(id), self.trash / f"{id}{SUFFIX}"
        with self._claimed(id) as lock:
            try:
                self.trash.mkdir(parents=True, exist_ok=True)
                files.patiently(lambda: path.replace(trashed), path)
                os.utime(trashed, (time.time(), time.time()))
            except FileNotFoundError:
                raise self._gone(id) from None
            except OSError as error:
                raise storage_error(error, path) from error
        with contextlib.suppress(OSError):  # Windows deletes no file that is open, as this one was until now
            files.remove(Path(lock.lock_file), wait_s=0)
        self._empty_trash()

    def restore(self, id: str) -> None:
        """Move a session back from the trash. Raises NotFoundError if it is not there."""
        try:
            files.move(self.trash / f"{id}{SUFFIX}", self.path(id))
        except FileNotFoundError:
            raise NotFoundError(f"session {id} is not in the trash") from None
        except OSError as error:
            raise storage_error(error, self.path(id)) from error

    def claim(self, id: str) -> filelock.BaseFileLock:
        """Lock a session until `release`, or the process's end. Raises SessionError if it is locked."""
        import filelock  # the first picture needs none

        path = self.folder / ".locks" / id
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return files.take_lock(path)
        except filelock.Timeout:
            raise SessionError("another window has this session open", "close it there first") from None
        except OSError as error:
            raise storage_error(error, path) from error

    @staticmethod
    def release(lock: filelock.BaseFileLock | None) -> None:
        if lock is not None:
            lock.release()

    @contextlib.contextmanager
    def _claimed(self, id: str) -> Iterator[filelock.BaseFileLock]:
        lock = self.claim(id)
        try:
            yield lock
        finally:
            self.release(lock)

    def _read(self, id: str) -> bytes:
        path = self.path(id)
        try:
            return read_bytes(path, LARGEST)
        except FileNotFoundError:
            raise self._gone(id) from None
        except OSError as error:
            raise storage_error(error, path) from error

    def _gone(self, id: str) -> NotFoundError:
        return NotFoundError(f"there is no session {self.path(id)}", "another window may have deleted it")

    def _card(self, id: str) -> SessionCard | None:
        size = 0
        try:
            with open_file(self.path(id), LARGEST) as file:
                size = os.fstat(file.fileno()).st_size
                line = file.read(HEAD_BYTES)
                if b"\n" not in line:
                    line += file.readline(LONGEST_HEAD)
            return SessionCard(id, head_from_bytes(line.split(b"\n", 1)[0]), size)
        except FileNotFoundError:
            return None  # deleted while we looked
        except OSError as error:
            return SessionCard(id, Head(), problem=storage_error(error, self.path(id)).message)
        except Exception as error:  # of any kind: the other sessions must still be listed
            words = error.message if isinstance(error, TinyGPTError) else f"{type(error).__name__}: {error}"
            return SessionCard(id, Head(), size, problem=words)

    def _empty_trash(self) -> None:
        with contextlib.suppress(OSError):
            thrown = sorted(self.trash.iterdir(), key=lambda path: path.stat().st_mtime)
            for path in thrown[:-TRASH_HOLDS]:
                with contextlib.suppress(OSError):
                    files.remove(path, wait_s=0)
