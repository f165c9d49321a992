"""Every error a user can meet, drawn as a tree.

TinyGPTError
├── UsageError          an invalid setting or argument                     exit 2
├── NotFoundError       no such model, corpus or run                       exit 3
├── CheckpointError     a file that is not a model, or is damaged          exit 4
├── CorpusError         a text that cannot be learnt from                  exit 5
├── StorageError        the disk is full, or a folder may not be written   exit 6
│   └── InUseError      another program has the file open                  exit 6
├── RunError            a training that is already running, or has ended   exit 7
├── DownloadError       a corpus that did not arrive whole                 exit 8
├── EngineError         the engine process died or could not start         exit 9
├── SessionError        a session's file that is damaged, or in use         exit 10
└── MissingPackageError a package that this needs is not installed         exit 11

Each carries what was found and a hint: what to do next. The command line prints both to stderr and exits
with the code; the app shows them as a notification.
"""

from __future__ import annotations

import enum
import errno
from pathlib import Path

_IN_USE = (32, 33)  # Windows: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
LONGEST = 4000  # characters of a message


class ExitCode(enum.IntEnum):
    """What the command line's exit status means."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_FOUND = 3
    CHECKPOINT = 4
    CORPUS = 5
    STORAGE = 6
    RUN = 7
    DOWNLOAD = 8
    ENGINE = 9
    SESSION = 10
    MISSING_PACKAGE = 11
    INTERRUPTED = 130


class TinyGPTError(Exception):
    """What was found (`message`) and what to do about it (`hint`, may be empty)."""

    exit_code = ExitCode.UNEXPECTED

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _plain(message)
        self.hint = _plain(hint)
        super().__init__(self.message)


def _plain(text: str) -> str:
    """Return `text` as a terminal may be given it: what a file is quoted with must not move its cursor, or fill it."""
    if len(text) > LONGEST:  # what is said of a long quotation often stands behind it
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in text)


class UsageError(TinyGPTError):
    """An invalid setting or argument. With `setting`, the name of its field, `problem` is the message without it."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, hint: str = "", *, setting: str = "") -> None:
        super().__init__(f"{setting.replace('_', ' ')}: {message}" if setting else message, hint)
        self.problem, self.setting = _plain(message), setting


class NotFoundError(TinyGPTError):
    """No such model, corpus or run."""

    exit_code = ExitCode.NOT_FOUND


class CheckpointError(TinyGPTError):
    """A file that is not a model, or is damaged."""

    exit_code = ExitCode.CHECKPOINT


class CorpusError(TinyGPTError):
    """A text that cannot be learnt from."""

    exit_code = ExitCode.CORPUS


class StorageError(TinyGPTError):
    """The disk is full, or a folder may not be read or written."""

    exit_code = ExitCode.STORAGE


class InUseError(StorageError):
    """Another program has a file open, and the system lets nobody change it meanwhile."""


class FileInUseError(PermissionError):
    """An operating system's refusal, of which it is known that another program has the file open."""


class RunError(TinyGPTError):
    """A training that is already running, or has ended, or cannot go on."""

    exit_code = ExitCode.RUN


class DownloadError(TinyGPTError):
    """A corpus that did not arrive whole."""

    exit_code = ExitCode.DOWNLOAD


class EngineError(TinyGPTError):
    """The engine process died or could not start."""

    exit_code = ExitCode.ENGINE


class SessionError(TinyGPTError):
    """A session's file that is damaged, or that another window has open."""

    exit_code = ExitCode.SESSION


class MissingPackageError(TinyGPTError):
    """A package that this needs is not installed, or cannot be loaded; see packages.py."""

    exit_code = ExitCode.MISSING_PACKAGE


class UnfitFile(OSError):
    """What is at a path is no file that can be read here: a pipe, a device, or far too large. `hint`: what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(errno.EINVAL, what)
        self.hint = hint


def storage_error(error: OSError, path: Path, wanted: str = "") -> StorageError:
    """Say an operating system's refusal in a user's words.

    Storage is full, permission is missing, the path is not what it should be: each with its way out. `wanted` is how
    much was to be written.
    """
    if isinstance(error, FileInUseError) or getattr(error, "winerror", None) in _IN_USE:
        return InUseError(f"another program has {path} open", "close it there, then try again")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needs = f"; it needs {wanted}" if wanted else ""
        return StorageError(f"the disk is full: {path} could not be written{needs}", "free some space, then try again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(
            f"no permission for {path}", "change its permissions, or set TINYGPT_TUI_HOME to a folder of your own"
        )
    if isinstance(error, UnfitFile):
        return StorageError(f"{path} {error.strerror}", error.hint)
    if error.errno == errno.ELOOP:
        return StorageError(f"{path} is a link that leads to itself", "remove the link")
    return StorageError(f"{path}: {error.strerror or error}", "check that the path exists and is yours")
