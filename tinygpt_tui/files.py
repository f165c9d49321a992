"""Write a whole file or none of it; ask whether one is there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tinygpt_tui import platforms
from tinygpt_tui.errors import storage_error

# A file that is being written: hidden, named after what it will be and the process that writes it.
PART = re.compile(r"\..+\.(\d+)-[^.]*\.part")
FORGOTTEN_S = 3600.0


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a binary file that becomes `path` only if the block ends well.

    The bytes go to a temporary file in the same folder, are flushed to the disk and renamed over `path`, so that a
    reader, or a process killed at any moment, finds the old file or the new one and never half of it.

    Raises StorageError where the disk is full or the folder may not be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.{os.getpid()}-", suffix=".part", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for the owner alone; a model is meant to be as shareable as any other file.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        platforms.sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what processes that were killed have left of files they had begun in `folder`; nothing is raised."""
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
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        yield temporary
        for entry in temporary.rglob("*"):
            if entry.is_file():
                _sync_file(entry)
        temporary.chmod(0o777 & ~_umask())
        if path.is_dir() and not (replace and any(path.iterdir())):
            path.rmdir()
        elif path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            path.rename(old / path.name)
            temporary.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        if temporary.exists():
            temporary.rename(path)
        platforms.sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def replace_file(new: Path, path: Path) -> None:
    """Put the file `new` in the place of `path`, on the same disk. Raises OSError."""
    _sync_file(new)
    new.replace(path)
    platforms.sync_folder(path.parent)


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


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write `content` to `path`, whole or not at all. Raises StorageError."""
    with whole_file(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 to `path`, whole or not at all, newlines as they are. Raises StorageError."""
    write_bytes(path, content.encode("utf-8"))


def _is_forgotten(path: Path, writer: int) -> bool:
    import psutil  # not before the app's first picture

    # The number of a process that is gone may be somebody else's by now; age decides then.
    return not psutil.pid_exists(writer) or time.time() - path.stat().st_mtime > FORGOTTEN_S


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
