"""The rules of Windows' file system, on Linux: what is open cannot be renamed, replaced or deleted.

`install(root)` applies them to everything below `root` in this process; `apply_everywhere` also in the processes that
it starts, by way of `sitecustomize.py` beside this file. In these rules count the files that any such process has
open, or mapped into memory, and the folder that it works in. Further rules: nothing is renamed over an existing name,
a read-only file cannot be deleted, and some names are not allowed.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = "PRETENDED_WINDOWS"  # the environment variable that names the folder under the rules
REGISTER = ".processes"  # below the root: an empty file for each process under the rules
ACCESS_DENIED, SHARING_VIOLATION, INVALID_NAME, ALREADY_EXISTS = 5, 32, 123, 183
NAMES = ("rename", "replace", "unlink", "remove", "rmdir", "mkdir", "open")
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}

_real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in NAMES}
_real_open = builtins.open
_root = ""


def install(root: Path) -> None:
    """Apply the rules below `root` in this process."""
    global _root
    _root = str(root)
    _register()
    os.rename, os.replace, os.mkdir, os.open = _rename, _replace, _mkdir, _os_open  # type: ignore[assignment]
    os.unlink = os.remove = _unlink  # type: ignore[assignment]
    os.rmdir = _rmdir  # type: ignore[assignment]
    builtins.open = io.open = _open  # type: ignore[assignment]


def uninstall() -> None:
    """Return to the system's own rules."""
    global _root
    _root = ""
    for name in NAMES:
        setattr(os, name, _real[name])
    builtins.open = io.open = _real_open  # type: ignore[assignment]


@contextmanager
def apply_everywhere(root: Path) -> Iterator[None]:
    """Apply the rules below `root` in this process and in those that it starts."""
    before = {name: os.environ.get(name) for name in (ROOT, "PYTHONPATH")}
    os.environ[ROOT] = str(root)
    here, others = str(Path(__file__).parent), before["PYTHONPATH"]
    os.environ["PYTHONPATH"] = os.pathsep.join([here, *([others] if others else [])])
    install(root)
    try:
        yield
    finally:
        uninstall()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _register() -> None:
    # Only these processes are asked what they have open: to look at all of a machine's takes too long.
    folder = os.path.join(_root, REGISTER)
    os.makedirs(folder, exist_ok=True)
    os.close(_real["open"](os.path.join(folder, str(os.getpid())), os.O_CREAT | os.O_WRONLY, 0o600))


def _register_child() -> None:
    if _root:
        _register()


os.register_at_fork(after_in_child=_register_child)


def _absolute(path: Any, folder: int | None = None) -> str:
    text = os.fsdecode(os.fspath(path))
    start = os.getcwd() if folder is None else os.readlink(f"/proc/self/fd/{folder}")
    return os.path.normpath(os.path.join(start, text))


def _is_ruled(path: str) -> bool:
    return bool(_root) and path.startswith(_root + os.sep)


def _refused(code: int, number: int, words: str, path: str) -> OSError:
    error = OSError(number, f"[WinError {code}] {words}", path)
    error.winerror = code  # type: ignore[attr-defined]
    return error


def _is_held(path: str) -> bool:
    """Whether a process under the rules has `path` open, or something below it."""
    below = path + os.sep
    for pid in os.listdir(os.path.join(_root, REGISTER)):
        own = pid == str(os.getpid())
        for held in _held_by(pid):
            if (held == path or held.startswith(below)) and not (own and os.path.isdir(held)):
                return True  # a folder that this process reads is one that it deletes, as `rmtree` does
    return False


def _held_by(pid: str) -> Iterator[str]:
    try:
        yield os.readlink(f"/proc/{pid}/cwd")
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                yield os.readlink(f"/proc/{pid}/fd/{number}")
            except OSError:
                continue  # closed meanwhile
        with _real_open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                if _root in line:
                    yield line.split(maxsplit=5)[5].rstrip("\n")
    except (OSError, IndexError):
        return  # the process is gone


def _check_free(path: str, code: int = SHARING_VIOLATION) -> None:
    if _is_ruled(path) and _is_held(path):
        raise _refused(code, errno.EACCES, "The process cannot access the file because another process uses it", path)


def _check_writable(path: str) -> None:
    if _is_ruled(path) and os.path.isfile(path) and not os.stat(path).st_mode & stat.S_IWUSR:
        raise _refused(ACCESS_DENIED, errno.EACCES, "Access is denied", path)


def _check_name(path: str) -> None:
    name = os.path.basename(path)
    bad = any(one in '<>:"|?*' or ord(one) < 32 for one in name) or name != name.rstrip(". ")
    if _is_ruled(path) and (bad or name.split(".")[0].rstrip().upper() in _RESERVED):
        raise _refused(INVALID_NAME, errno.EINVAL, "The file name, folder name or volume label is not allowed", path)


def _rename(source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
    old, new = _absolute(source, src_dir_fd), _absolute(target, dst_dir_fd)
    _check_free(old, ACCESS_DENIED if os.path.isdir(old) else SHARING_VIOLATION)
    _check_name(new)
    if _is_ruled(new) and os.path.lexists(new) and os.path.lexists(old):
        raise _refused(ALREADY_EXISTS, errno.EEXIST, "A file with this name exists", new)
    _real["rename"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)


def _replace(source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
    old, new = _absolute(source, src_dir_fd), _absolute(target, dst_dir_fd)
    _check_free(old)
    _check_free(new, ACCESS_DENIED)
    _check_name(new)
    _check_writable(new)
    if _is_ruled(new) and os.path.isdir(new):
        raise _refused(ACCESS_DENIED, errno.EACCES, "Access is denied", new)
    _real["replace"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)


def _unlink(path: Any, *, dir_fd: int | None = None) -> None:
    found = _absolute(path, dir_fd)
    _check_free(found)
    _check_writable(found)
    _real["unlink"](path, dir_fd=dir_fd)


def _rmdir(path: Any, *, dir_fd: int | None = None) -> None:
    _check_free(_absolute(path, dir_fd))
    _real["rmdir"](path, dir_fd=dir_fd)


def _mkdir(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    _check_name(_absolute(path, dir_fd))
    _real["mkdir"](path, mode, dir_fd=dir_fd)


def _os_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    if flags & os.O_CREAT:
        _check_name(_absolute(path, dir_fd))
    return int(_real["open"](path, flags, mode, dir_fd=dir_fd))


def _open(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
    if not isinstance(file, int) and set(mode) & set("wax"):
        _check_name(_absolute(file))
    return _real_open(file, mode, *arguments, **options)
