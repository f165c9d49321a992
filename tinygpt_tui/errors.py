"""Every error a user can meet, drawn as a tree.

TinyGPTError
├── UsageError           an invalid setting or argument                    exit 2
│   └── TakenError       a file that is there, and may be replaced         exit 2
├── NotFoundError        no such model, corpus or run                      exit 3
├── CheckpointError      not a model, or a damaged one                     exit 4
├── CorpusError          a text that cannot be trained on, or unpacked     exit 5
├── StorageError         the disk is full, or permission is missing        exit 6
│   └── InUseError       another program has the file open                 exit 6
├── RunError             a run that failed, ended, or is already running   exit 7
├── DownloadError        a download or an upload that failed               exit 8
├── EngineError          the engine process died or could not start        exit 9
├── SessionError         a session file that is damaged or in use          exit 10
└── MissingPackageError  a package is not installed                        exit 11

Each has a message (what was found) and a hint (what to do). The command line prints both to stderr and exits with the
code; the app shows them as a notification.
"""

from __future__ import annotations

import enum
import errno
from pathlib import Path

_IN_USE = (32, 33)  # Windows: ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
LONGEST = 4000  # characters of a message


class ExitCode(enum.IntEnum):
    """The command line's exit status; MEANINGS explains each."""

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


MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.UNEXPECTED: "unexpected error, or a check that failed",
    ExitCode.USAGE: "invalid setting or argument",
    ExitCode.NOT_FOUND: "no such model, corpus or run",
    ExitCode.CHECKPOINT: "not a model, or a damaged one",
    ExitCode.CORPUS: "a text that cannot be trained on, or unpacked",
    ExitCode.STORAGE: "the disk is full, or permission is missing",
    ExitCode.RUN: "a run failed, is already running, or did not answer",
    ExitCode.DOWNLOAD: "a download or an upload failed",
    ExitCode.ENGINE: "the engine process died or could not start",
    ExitCode.SESSION: "a session file is damaged or in use",
    ExitCode.MISSING_PACKAGE: "a package is missing; the message has the command that installs it",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}


class TinyGPTError(Exception):
    """An error with a `message` (what was found) and a `hint` (what to do; may be empty)."""

    exit_code = ExitCode.UNEXPECTED

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _plain(message)
        self.hint = _plain(hint)
        super().__init__(self.message)


def _plain(text: str) -> str:
    """Return `text` safe for a terminal: control characters escaped, a long quotation shortened."""
    if len(text) > LONGEST:  # keep both ends: what is wrong with a long quotation often follows it
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


class TakenError(UsageError):
    """A file or folder that is there already, and is replaced if the user says so."""


class NotFoundError(TinyGPTError):
    """No such model, corpus or run."""

    exit_code = ExitCode.NOT_FOUND


class CheckpointError(TinyGPTError):
    """A file that is not a model, or a damaged one."""

    exit_code = ExitCode.CHECKPOINT


class CorpusError(TinyGPTError):
    """A text that cannot be trained on, or a packed one that is damaged.

    `reason` says why in a few words, without the file's name.
    """

    exit_code = ExitCode.CORPUS

    def __init__(self, message: str, hint: str = "", *, reason: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason or self.message


class StorageError(TinyGPTError):
    """The disk is full, or a folder may not be read or written."""

    exit_code = ExitCode.STORAGE


class InUseError(StorageError):
    """Another program has a file open, and the operating system allows no change until it is closed."""


class FileInUseError(PermissionError):
    """The operating system's refusal to change a file that another program has open."""


class RunError(TinyGPTError):
    """A run that failed, has ended, is already running or cannot continue."""

    exit_code = ExitCode.RUN


class DownloadError(TinyGPTError):
    """A download that failed or is incomplete, or an upload that failed."""

    exit_code = ExitCode.DOWNLOAD


class EngineError(TinyGPTError):
    """The engine process died or could not start."""

    exit_code = ExitCode.ENGINE


class SessionError(TinyGPTError):
    """A session file that is damaged, or open in another window."""

    exit_code = ExitCode.SESSION


class MissingPackageError(TinyGPTError):
    """A package is not installed or cannot be loaded; see packages.py."""

    exit_code = ExitCode.MISSING_PACKAGE


class UnfitFile(OSError):
    """A path that cannot be read as a file: a pipe, a device, or far too large. `hint`: what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(errno.EINVAL, what)
        self.hint = hint


def storage_error(error: OSError, path: Path, wanted: str = "") -> StorageError:
    """Return the error for an operating system's refusal, with what the user can do about it.

    `wanted` says how much was to be written, in words.
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
    return StorageError(f"{path}: {error.strerror or error}", "check that the path exists and that you may use it")
