"""Reads files that anyone may have written, and the JSON in them: regular files of a bounded size, damage as one error.

Everything that is decoded from a disk, a pipe or a network is decoded here, for three reasons.

* A pipe or a device in place of a file would wait forever or never end; a sparse file would fill the memory.
* JSON that is nested too deep raises RecursionError, broken UTF-8 a UnicodeDecodeError, a missing field a
  ValidationError: three families for one thing, a damaged file.
* msgspec (0.20 to 0.22 were tried) can end the process with SIGSEGV where two threads use a struct type for the first
  time. It builds a type's table of fields at the first use, and hangs the table on the class before its entries are
  filled in, so that a type may contain itself. Filling them in runs Python code (the annotations are evaluated), where
  the interpreter may switch threads; the other thread then finds the table and follows its null pointers. Here a table
  is built under a lock, before it is used. To msgspec's maintainers: four threads that call
  `msgspec.json.decode(data, type=T)` after one barrier, T a struct with a few nested structs and
  `sys.setswitchinterval(1e-4)` set, end so nine times in ten. Filling the table before it is set on the class (with a
  second place for the recursive case), or a lock around both, would mend it.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any, TypeVar, overload

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.errors import UnfitFile, storage_error

T = TypeVar("T")

LARGEST_JSON = 16 << 20  # bytes: three of them can become 72 bytes of memory
IN_USE_S = 0.2  # Windows opens no file at the moment in which it is replaced
KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


class Damage(ValueError):
    """What was read is not what it should be; the message says where."""


def open_file(path: Path, largest: int | None = None) -> io.BufferedReader:
    """Open a regular file to read bytes, without waiting for anyone.

    Raises UnfitFile for a pipe, a device or a socket, and for a file of more than `largest` bytes; OSError as `open`.
    """
    handle = platforms.patiently(lambda: _open(path), IN_USE_S)
    try:
        status = os.fstat(handle)
        _check_regular(status)
        if largest is not None and status.st_size > largest:
            raise _too_large(largest)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_bytes(path: Path, largest: int) -> bytes:
    """Return what a regular file holds, `largest` bytes at most. Raises as `open_file`."""
    with open_file(path, largest) as file:
        content = file.read(largest + 1)
    if len(content) > largest:  # it has grown meanwhile
        raise _too_large(largest)
    return content


def check_kind(path: Path) -> None:
    """Raise StorageError if there is something at `path` that is neither a file nor a folder: a pipe, a device, …."""
    try:
        status = os.stat(path)  # noqa: PTH116 - as below
        if not stat.S_ISDIR(status.st_mode):
            _check_regular(status)
    except UnfitFile as error:
        raise storage_error(error, path) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise storage_error(error, path) from error
    except ValueError:
        return  # a name that no file can have


def real_path(path: Path) -> Path:
    """Return `path` without links; where they lead in a circle, as far as they can be followed (nothing is raised)."""
    return Path(os.path.realpath(path))


@overload
def read_json(path: Path, kind: type[T], largest: int = LARGEST_JSON) -> T: ...
@overload
def read_json(path: Path, kind: Any = Any, largest: int = LARGEST_JSON) -> Any: ...
def read_json(path: Path, kind: Any = Any, largest: int = LARGEST_JSON) -> Any:
    """Read a JSON file as a `kind`. Raises OSError as `read_bytes`, Damage where it does not hold one."""
    return decode(read_bytes(path, largest), kind)


@overload
def decode(content: bytes | str, kind: type[T]) -> T: ...
@overload
def decode(content: bytes | str, kind: Any = Any) -> Any: ...
def decode(content: bytes | str, kind: Any = Any) -> Any:
    """Decode JSON as a `kind`. Raises Damage."""
    return decode_with(decoder(kind), content)


def decode_with(made: msgspec.json.Decoder[T], content: bytes | str) -> T:
    """Decode JSON with what `decoder` made, which is faster for many small pieces. Raises Damage."""
    try:
        return made.decode(content)
    except RecursionError:
        raise Damage("its JSON is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise Damage(str(error)) from None


def decode_halves(content: bytes, kind: type[T]) -> T:
    """Decode JSON that may hold halves of surrogate pairs, as a text that was typed or pasted can. Raises Damage."""
    try:
        return decode(content, kind)
    except Damage as error:
        try:
            value = json.loads(content.decode("utf-8", "surrogatepass"))
        except RecursionError:
            raise error from None
        except ValueError as other:
            raise Damage(f"no JSON: {other}") from None
    try:
        return convert(value, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise Damage(str(error)) from None


@overload
def decode_toml(content: bytes, kind: type[T]) -> T: ...
@overload
def decode_toml(content: bytes, kind: Any = Any) -> Any: ...
def decode_toml(content: bytes, kind: Any = Any) -> Any:
    """Decode TOML as a `kind`. Raises Damage."""
    decoder(kind)
    try:
        return msgspec.toml.decode(content, type=kind)
    except RecursionError:
        raise Damage("its TOML is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Damage(str(error)) from None


@overload
def convert(value: Any, kind: type[T]) -> T: ...
@overload
def convert(value: Any, kind: Any) -> Any: ...
def convert(value: Any, kind: Any) -> Any:
    """Do what `msgspec.convert` does, from any thread. Raises msgspec.ValidationError."""
    decoder(kind)
    return msgspec.convert(value, kind)


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_building = threading.RLock()


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Return the one decoder of a type; once there is one, msgspec's tables of all structs in it are complete."""
    found = _decoders.get(kind)
    if found is None:
        with _building:
            found = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    return found


def _open(path: Path) -> int:
    _check_regular(os.stat(path))  # noqa: PTH116 - before it is opened: opening a device can do something
    flags = (getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY", "O_CLOEXEC"))
    return os.open(path, os.O_RDONLY | sum(flags))


def _check_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFile(f"is {KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a file", "give a file")


def _too_large(largest: int) -> UnfitFile:
    size = f"{largest >> 20} MB" if largest >= 1 << 20 else f"{largest:,} bytes"
    return UnfitFile(f"is larger than {size}", "it is not what its name says: remove it, or copy it again")
