"""Write a whole file or none of it; ask whether one is there."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from tinygpt_tui import paths, platforms
from tinygpt_tui.errors import FileInUseError, TakenError, UsageError, storage_error
from tinygpt_tui.words import size

if TYPE_CHECKING:
    import filelock

T = TypeVar("T")

# A file that is being written: hidden, named after what it will be and the process that writes it.
PART = re.compile(r"\..+\.(\d+)-[^.]*\.part")
FORGOTTEN_S = 3600.0
TOLD_BYTES = 1 << 20  # a disk that is full may still have room for less than a file needs
# A virus scanner, an indexer or a reader of ours has a file open for milliseconds; a viewer for as long as it runs.
IN_USE_S = 1.0


@contextlib.contextmanager
def whole_file(
    path: Path, wanted: int = 0, *, within: Path | None = None, wait_s: float | None = None
) -> Iterator[IO[bytes]]:
    """Yield a binary file that becomes `path` only if the block ends well; `wanted` is its size, where that is known.

    The bytes go to a temporary file in the same folder, are flushed to the disk and renamed over `path`, so that a
    reader, or a process killed at any moment, finds the old file or the new one and never half of it. Folders are made
    as needed, but not `within`: where that is gone (the user deleted the model), its file has no place any more. A file
    that is replaced keeps its permissions. `wait_s` as for `patiently`.

    Raises StorageError where the disk is full, the folder may not be written, or another program has `path` open;
    UsageError where Windows keeps its name for a device.
    """
    _check_name(path)
    temporary: Path | None = None
    try:
        if within is not None and not within.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"the folder {within} is gone", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.{os.getpid()}-", suffix=".part", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for the owner alone; a model is meant to be as shareable as any other file.
        temporary.chmod(_mode_of(path, 0o666))
        patiently(lambda: temporary.replace(path), path, wait_s)
        platforms.sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path, _room(path, wanted)) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                remove(temporary)


def _room(path: Path, wanted: int) -> str:
    """Return how much room a file needs and how much there is, in words; nothing for a small one."""
    if wanted < TOLD_BYTES:
        return ""
    with contextlib.suppress(OSError):
        return f"{size(wanted)}, and {size(shutil.disk_usage(path.parent).free)} are free"
    return size(wanted)


def remove_parts(folder: Path) -> None:
    """Remove the parts of files in `folder` that killed processes left unfinished; nothing is raised."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if (named := PART.fullmatch(path.name)) and _is_forgotten(path, int(named[1])):
                with contextlib.suppress(OSError):
                    path.unlink()


@contextlib.contextmanager
def whole_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` only if the block ends well.

    An empty folder at `path` gives way; one with something in it only with `replace`, and is there until the new one is
    whole. Raises StorageError.
    """
    _check_name(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        yield temporary
        for entry in temporary.rglob("*"):
            if entry.is_file():
                _sync_file(entry)
            if entry.is_file() and (path / entry.relative_to(temporary)).is_file():
                entry.chmod(_mode_of(path / entry.relative_to(temporary), 0o666))
        temporary.chmod(_mode_of(path, 0o777))
        if path.is_dir() and not (replace and any(path.iterdir())):
            path.rmdir()
        elif path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            try:
                move(path, old / path.name)
                try:
                    move(temporary, path)
                except OSError:
                    move(old / path.name, path)
                    raise
            finally:
                remove_folder(old)
        if temporary.exists():
            move(temporary, path)
        platforms.sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if temporary is not None:
            remove_folder(temporary)


def replace_file(new: Path, path: Path) -> None:
    """Put the file `new` in the place of `path`, on the same disk; it takes the permissions of `path`.

    Raises OSError, UsageError as `whole_file`.
    """
    _check_name(path)
    _sync_file(new)
    new.chmod(_mode_of(path, 0o666))
    patiently(lambda: new.replace(path), path)
    platforms.sync_folder(path.parent)


def patiently(change: Callable[[], T], path: Path, wait_s: float | None = None) -> T:
    """Change `path` by `change()`, which Windows refuses while any program has it open; wait for that program.

    `wait_s` is how long (default: IN_USE_S). Raises FileInUseError after that, any other OSError at once.
    """
    try:
        return platforms.patiently(change, IN_USE_S if wait_s is None else wait_s)
    except PermissionError as error:
        if platforms.may_be_in_use(error) and not _is_read_only(path):
            raise FileInUseError(error.errno, error.strerror, str(path)) from error
        raise


def move(old: Path, new: Path) -> None:
    """Rename a file or a folder to a name that is free, on the same disk. Raises OSError."""
    patiently(lambda: old.rename(new), old)


def remove(path: Path, wait_s: float | None = None) -> None:
    """Delete a file, if it exists; `wait_s` as for `patiently`. Raises OSError."""
    patiently(lambda: path.unlink(missing_ok=True), path, wait_s)


def remove_folder(folder: Path) -> None:
    """Delete a folder and what is in it, as far as it can be; nothing is raised."""
    with contextlib.suppress(OSError):
        patiently(lambda: shutil.rmtree(folder), folder)
        return
    shutil.rmtree(folder, ignore_errors=True)


def take_lock(path: Path, timeout_s: float = 0) -> filelock.BaseFileLock:
    """Take the lock that the file at `path` is, for this process until `release`; its folder must exist.

    Any thread may release it. Raises filelock.Timeout (an OSError) where another process has it, any other OSError
    where there can be no lock.
    """
    import filelock  # not before the app's first picture

    lock = filelock.FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=timeout_s)
    except NotImplementedError as error:  # what filelock makes of ENOSYS
        raise OSError(errno.ENOSYS, "the file system has no locks", str(path)) from error
    return lock


@contextlib.contextmanager
def locked(path: Path, timeout_s: float = 0) -> Iterator[None]:
    """Hold the lock that the file at `path` is. Raises as `take_lock` does."""
    lock = take_lock(path, timeout_s)
    try:
        yield
    finally:
        lock.release()


def check_new(path: Path, force: bool) -> None:
    """Raise TakenError where a file that the user named is there already, unless `force` says to replace it.

    What is no file is never replaced.
    """
    if os.path.lexists(path) and not is_file(path):
        raise UsageError(f"{path} is not a file", "give another name")
    if not force and os.path.lexists(path):
        raise TakenError(f"{path} is there already", "--force replaces it")


def set_aside(path: Path) -> Path | None:
    """Rename a damaged file that may hold what the user wants back; return its new path, None where it stays.

    >>> set_aside(Path("no such file"))
    """
    aside = path.with_name(f"{path.name}.damaged")
    number = 2
    while os.path.lexists(aside):
        aside, number = path.with_name(f"{path.name}.damaged-{number}"), number + 1
    try:
        move(path, aside)
    except OSError:
        return None
    return aside


def is_file(path: Path) -> bool:
    """Whether there is such a file; no where it cannot be known (no permission, a name too long)."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; no where it cannot be known."""
    try:
        return path.is_dir()
    except OSError:
        return False


def write_bytes(
    path: Path, content: bytes | memoryview, *, within: Path | None = None, wait_s: float | None = None
) -> None:
    """Write `content` to `path`, whole or not at all; the options are those of `whole_file`. Raises StorageError."""
    with whole_file(path, len(content), within=within, wait_s=wait_s) as file:
        file.write(content)


def write_text(path: Path, content: str, *, within: Path | None = None) -> None:
    """Write `content` as UTF-8, newlines as they are, to `path`, as `write_bytes` does. Raises StorageError."""
    write_bytes(path, content.encode("utf-8"), within=within)


def _is_forgotten(path: Path, writer: int) -> bool:
    import psutil  # not before the app's first picture

    # The number of a process that is gone may belong to another by now; then age decides.
    return not psutil.pid_exists(writer) or time.time() - path.stat().st_mtime > FORGOTTEN_S


def _check_name(path: Path) -> None:
    if paths.is_reserved(path.name):
        raise UsageError(f"{path.name} is the name of a device on Windows", "choose another name")


def _is_read_only(path: Path) -> bool:
    try:
        return not path.stat().st_mode & stat.S_IWUSR
    except OSError:
        return False


def _mode_of(path: Path, default: int) -> int:
    """Return the permissions of the file at `path`; or `default` without the bits of the user's umask."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return default & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
