"""A file is written whole or not at all."""

from __future__ import annotations

import ast
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sources import trees

from tinygpt_tui.errors import StorageError, UsageError, storage_error
from tinygpt_tui.files import (
    check_new,
    is_file,
    remove_parts,
    replace_file,
    whole_file,
    whole_folder,
    write_bytes,
    write_text,
)

NOBODY = 65534


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    def refusing(*arguments: object, **more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, refusing)


def test_it_writes_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    write_text(path, "é\r\n")
    assert path.read_bytes() == b"\xc3\xa9\r\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["c.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_the_file_is_as_shareable_as_any_other(tmp_path: Path) -> None:
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"")
    write_bytes(ours, b"")
    assert stat.S_IMODE(ours.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_refused_it_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    refuse(monkeypatch, call, number)
    with pytest.raises(StorageError) as caught:
        write_bytes(path, b"new")
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_broken_off_in_the_middle_it_leaves_the_old_file_alone(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")

    def write_half() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_a_reader_never_sees_half(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "taken", tmp_path / "file" / "below"):
        with pytest.raises(StorageError):
            write_bytes(path, b"x")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "taken"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    write_bytes(tmp_path / "model.bin", b"whole")
    code = (
        "import os, sys; from pathlib import Path; from tinygpt_tui.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as file: file.write(b'half'); file.flush(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model.bin")], check=False, timeout=240)
    with whole_file(tmp_path / "living.bin") as file:  # a process that lives is still at it
        file.write(b"half")
        (tmp_path / ".mine.part").write_bytes(b"")
        assert len(list(tmp_path.iterdir())) == 4
        remove_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.part", "living.bin", "model.bin"]
    assert (tmp_path / "model.bin").read_bytes() == b"whole"
    remove_parts(tmp_path / "nowhere")


@contextmanager
def somebody() -> Iterator[None]:
    """Be a user who may not write everywhere, also where the tests run as root."""
    root = os.name == "posix" and os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with somebody(), pytest.raises(StorageError, match="permission") as caught:
            write_bytes(tmp_path / "new", b"x")
    finally:
        tmp_path.chmod(0o755)
    assert "TINYGPT_TUI_HOME" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "word"),
    [
        *((number, "full") for number in (errno.ENOSPC, errno.EDQUOT)),
        *((number, "permission") for number in (errno.EACCES, errno.EPERM, errno.EROFS)),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_refusal_is_said_in_words(number: int, word: str) -> None:
    said = storage_error(OSError(number, os.strerror(number)), Path("/x/y"))
    assert word in said.message
    assert "/x/y" in said.message
    assert said.hint


def test_whether_there_is_a_file_never_raises(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"")
    assert is_file(tmp_path / "there")
    assert not is_file(tmp_path)
    assert not is_file(tmp_path / ("long" * 1000))
    assert not is_file(tmp_path / "there" / "below")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    diary, new, folder = tmp_path / "diary", tmp_path / "new", tmp_path / "folder"
    folder.mkdir(mode=0o700)
    for file in (diary, folder / "page"):
        file.write_bytes(b"mine")
        file.chmod(0o600)
    write_bytes(diary, b"replaced")
    with whole_folder(folder, replace=True) as made:
        (made / "page").write_bytes(b"replaced")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (diary, folder / "page", folder)] == [0o600, 0o600, 0o700]
    new.write_bytes(b"again")
    replace_file(new, diary)
    assert (diary.read_bytes(), stat.S_IMODE(diary.stat().st_mode)) == (b"again", 0o600)


def test_what_the_user_has_is_replaced_only_with_force(tmp_path: Path) -> None:
    there, link = tmp_path / "there", tmp_path / "link"
    check_new(there, force=False)
    there.write_bytes(b"")
    with pytest.raises(UsageError, match="is there already") as caught:
        check_new(there, force=False)
    assert "--force" in caught.value.hint
    check_new(there, force=True)
    with pytest.raises(UsageError, match="is not a file"):
        check_new(tmp_path, force=True)
    if os.name == "posix":
        link.symlink_to("nowhere")
        with pytest.raises(UsageError, match="is not a file"):
            check_new(link, force=True)


# Where files are deleted and renamed without waiting for a program that has them open.
OWN_WAY = {
    "files.py",
    "native/build.py",  # waits by itself: it runs where no package is installed
}
CHANGES = {"unlink", "rmdir", "rmtree", "symlink_to", "hardlink_to"}


def _changes(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of_os = isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
        renames = node.func.attr in ("rename", "replace", "renames", "remove") and of_os
        # `Path.replace` has one argument, `str.replace` two, `datetime.replace` and `structs.replace` names.
        path_is_replaced = node.func.attr == "replace" and len(node.args) == 1 and not node.keywords
        if node.func.attr in CHANGES or renames or path_is_replaced:
            yield node.lineno


def test_files_are_deleted_and_renamed_in_one_place() -> None:
    """There Windows' refusal to change a file that is open is waited for, and said."""
    found = {name: lines for name, tree in trees().items() if name not in OWN_WAY and (lines := list(_changes(tree)))}
    assert list(found) == ["sessions/store.py"]
    assert len(found["sessions/store.py"]) == 1  # inside `files.patiently`


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_disk_whose_folders_cannot_be_synced_keeps_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    plain = os.fsync

    def sync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        plain(handle)

    monkeypatch.setattr(os, "fsync", sync)
    write_bytes(tmp_path / "kept", b"new")
    assert (tmp_path / "kept").read_bytes() == b"new"


def test_a_file_that_cannot_be_synced_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "fsync", errno.EINVAL)
    with pytest.raises(StorageError):
        write_bytes(tmp_path / "kept", b"new")
    assert not list(tmp_path.iterdir())


def test_a_text_has_the_same_newlines_on_every_system() -> None:
    """A path's own `write_text` makes them Windows' there; `files.write_text` does not."""
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "write_text":
                module = isinstance(node.func.value, ast.Name) and node.func.value.id == "files"
                assert module or "newline" in {keyword.arg for keyword in node.keywords}, f"{name}:{node.lineno}"
