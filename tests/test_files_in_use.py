"""What another program has open cannot be changed on Windows: it is waited for, and then named, and nothing is lost.

The rules are pretended (pretended_windows/file_rules.py). A program that closes its file does so when it is first
waited for, so that no test depends on time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from makers import make_model, make_run
from msgspec.structs import replace

from tinygpt_tui import files, platforms
from tinygpt_tui.errors import InUseError, StorageError, storage_error
from tinygpt_tui.events.training import Paused, Resumed, RunEnded, Step, TrainingEvent
from tinygpt_tui.reading import read_json
from tinygpt_tui.runs import manage, trash
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder, RunStatus
from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.store import SessionStore

pytestmark = pytest.mark.usefixtures("windows_files")


@contextlib.contextmanager
def held(path: Path, monkeypatch: pytest.MonkeyPatch, *, for_good: bool) -> Iterator[None]:
    """Have a program keep `path` open: for good, or until the first wait for it."""
    with path.open("rb") as file:
        monkeypatch.setattr(files, "IN_USE_S", 0.0 if for_good else 60.0)
        monkeypatch.setattr(platforms.time, "sleep", lambda seconds: file.close())
        yield


def model() -> Path:
    run = make_run("cat")
    make_model(run.model)
    (run.folder / "notes.txt").write_text("a note", encoding="utf-8")
    return run.model


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


def export_folder(place: Path) -> None:
    with files.whole_folder(place, replace=True) as folder:
        (folder / "weights.safetensors").write_bytes(b"new")


def replaced(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(b"new")
    files.replace_file(new, path)


def saved_session(store: SessionStore) -> Path:
    session = tree.add_root(store.new(), "The king", model="one")
    store.save(session)
    return store.path(session.id)


# What is done: a function of the model's folder, and the file in it that another program has open meanwhile.
CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "write": (lambda model: files.write_bytes(model / "weights.safetensors", b"new"), "weights.safetensors"),
    "replace a folder": (export_folder, "weights.safetensors"),
    "rename": (lambda model: manage.rename(model, "dog"), "weights.safetensors"),
    "delete": (manage.move_to_trash, "run/settings.json"),
    "delete notes": (lambda model: manage.write_notes(RunFolder(model), ""), "run/notes.txt"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_program_that_is_quick_is_waited_for(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, name = CHANGES[change]
    folder = model()
    with held(folder / name, monkeypatch, for_good=False):
        make(folder)
    assert not list(folder.parent.glob(".*.part"))
    assert not list(folder.glob(".*.part"))


@pytest.mark.parametrize("change", CHANGES)
def test_a_program_that_keeps_it_is_named_and_nothing_is_lost(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, name = CHANGES[change]
    folder = model()
    before = contents(folder)
    with held(folder / name, monkeypatch, for_good=True), pytest.raises(InUseError) as caught:
        make(folder)
    assert "another program has" in caught.value.message
    assert str(folder) in caught.value.message
    assert "permission" not in caught.value.message + caught.value.hint
    assert contents(folder) == before


def test_a_file_that_is_replaced_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "export.bin"
    path.write_bytes(b"old")
    with held(path, monkeypatch, for_good=True), pytest.raises(OSError, match="another process") as caught:
        replaced(path)
    assert "another program has" in storage_error(caught.value, path).message
    assert path.read_bytes() == b"old"
    with held(path, monkeypatch, for_good=False):
        replaced(path)
    assert path.read_bytes() == b"new"


def test_a_session_is_deleted_and_restored_though_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    store = SessionStore()
    path = saved_session(store)
    with held(path, monkeypatch, for_good=True), pytest.raises(InUseError):
        store.delete(path.stem)
    with held(path, monkeypatch, for_good=False):
        store.delete(path.stem)
    assert not path.exists()
    assert not (store.folder / ".locks" / path.stem).exists()
    thrown = store.trash / path.name
    with held(thrown, monkeypatch, for_good=False):
        store.restore(path.stem)
    assert path.exists()


def test_what_waits_in_the_trash_and_is_read_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    thrown = manage.move_to_trash(model())
    with held(thrown.place / "weights.safetensors", monkeypatch, for_good=True):
        assert not trash.to_platform(thrown.place)
    assert manage.restore(thrown).exists()


def test_a_wish_that_is_just_being_left_is_taken_later(tmp_path: Path) -> None:
    control = Control(tmp_path)
    control.send("save")
    with (tmp_path / "save").open("rb"):
        assert not control.consume("save")  # a trainer that took it for done would save at every step
    assert control.consume("save")
    assert not control.consume("save")


def test_the_trainers_word_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    status = RunStatus(state="running", step=10, steps=12, pid=1, pid_created=0.0, time=1.0)
    run.write_status(status)
    monkeypatch.setattr(platforms.time, "sleep", lambda seconds: pytest.fail("it waited"))
    with run.status.open("rb"):
        run.write_status(replace(status, step=11))
    assert run.read_status().step == 11


def test_a_training_waits_for_a_quick_reader_and_says_who_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygpt_tui.training.run import run_training

    run = make_run(steps=8, evaluate_every=2)
    events: list[TrainingEvent] = []
    reader: contextlib.ExitStack = contextlib.ExitStack()
    weights = run.model / "weights.safetensors"
    for event in run_training(run.model):
        events.append(event)
        if weights.exists() and isinstance(event, Step):
            reader.close()
            reader.enter_context(held(weights, monkeypatch, for_good=event.step == 6))
        if isinstance(event, Paused):
            reader.close()
    paused = [event for event in events if isinstance(event, Paused)]
    assert [event.step for event in paused] == [6]  # by the reader that kept the file, and by none of the quick ones
    assert f"another program has {weights} open" in paused[0].reason
    assert "permission" not in paused[0].reason
    assert any(isinstance(event, Resumed) for event in events)
    assert isinstance(events[-1], RunEnded)
    assert events[-1].reason == "finished"


def test_a_file_that_is_just_being_replaced_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    path.write_bytes(b"{}")
    plain, refused = os.open, True

    def opened(*arguments: Any, **options: Any) -> int:
        if refused:
            error = PermissionError(errno.EACCES, "Access is denied")
            error.winerror = 5
            raise error
        return plain(*arguments, **options)

    def wait(seconds: float) -> None:
        nonlocal refused
        refused = False

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(platforms.time, "sleep", wait)
    assert read_json(path) == {}


def test_a_read_only_file_is_not_called_open(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(StorageError, match="permission"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"


def test_other_refusals_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(error: OSError) -> None:
        raise error

    monkeypatch.setattr(platforms.time, "sleep", lambda seconds: pytest.fail("it waited"))
    error = PermissionError(errno.EACCES, "the medium is write protected")
    error.winerror = 19
    for refused in (error, OSError(errno.ENOSPC, "full")):
        with pytest.raises(OSError, match=str(refused.args[1])):
            files.patiently(partial(refuse, refused), tmp_path)


def test_other_processes_count_and_have_the_same_rules(tmp_path: Path) -> None:
    """The pretence itself: a child's open file is in the way here, and ours there."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    ours.write_bytes(b"")
    code = (
        "import os, pathlib, sys\n"
        "with open(sys.argv[1], 'wb'):\n"
        "    try: os.unlink(sys.argv[2])\n"
        "    except PermissionError as error: print(error.winerror, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(theirs), str(ours)]
    with (
        ours.open("rb"),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
    ):
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"32\n"
        with pytest.raises(PermissionError):
            theirs.rename(tmp_path / "moved")
        child.stdin.close()
        child.wait(240)
    theirs.rename(tmp_path / "moved")
    ours.unlink()


@pytest.mark.parametrize("name", ["NUL", "con.txt", "a:b", "end.", "end "])
def test_names_that_windows_lacks_are_refused_by_the_pretence(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="not allowed"):
        (tmp_path / name).touch()
    with pytest.raises(OSError, match="not allowed"):
        (tmp_path / name).mkdir()
