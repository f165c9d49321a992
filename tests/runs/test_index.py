"""All the runs there are, and making a new one."""

from __future__ import annotations

import errno
import os
import unicodedata
from pathlib import Path

import filelock
import msgspec
import pytest
from makers import make_model, make_run

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.library import find_model
from tinygpt_tui.errors import NotFoundError, RunError, StorageError, UsageError
from tinygpt_tui.files import whole_folder, write_bytes
from tinygpt_tui.runs.control import process_started_at
from tinygpt_tui.runs.folder import RunFolder, RunState, RunStatus
from tinygpt_tui.runs.index import check_name, create_run, find_run, free_name, list_runs


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shipped folder of the test's own."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(paths, "shipped_models", lambda: folder)
    return folder


def say(run: RunFolder, state: RunState, **changes: object) -> None:
    chosen = {
        "step": 3,
        "steps": 12,
        "pid": os.getpid(),
        "pid_created": process_started_at(),
        "time": 1.0,
        "message": "",
    }
    run.write_status(RunStatus(state=state, **{**chosen, **changes}))  # type: ignore[arg-type]


def test_no_runs_and_no_folder_made(home: Path) -> None:
    assert list_runs() == []
    assert not home.exists()
    with pytest.raises(NotFoundError, match="any") as caught:
        find_run("any")
    assert "no runs yet" in caught.value.hint


def test_what_was_decided_is_kept() -> None:
    run = make_run("cat", steps=77)
    settings = run.read_settings()
    assert (settings.name, settings.training.steps, settings.corpus.name) == ("cat", 77, "cat")
    assert find_run("cat") == run
    assert run.model == paths.models_folder() / "cat"


def test_each_state_is_shown_as_it_is() -> None:
    states: tuple[RunState, ...] = ("starting", "running", "paused", "finished", "stopped", "failed")
    for state in states:
        say(make_run(state), state)
    cards = {card.name: card for card in list_runs()}
    assert {name: card.state for name, card in cards.items()} == {state: state for state in states}
    assert [state for state in states if cards[state].live] == ["starting", "running", "paused"]
    assert (cards["paused"].step, cards["paused"].steps, cards["paused"].corpus) == (3, 12, "paused")


def test_a_run_whose_status_is_damaged_is_listed_and_says_so() -> None:
    make_run("cat").status.write_bytes(b'{"state":')
    (card,) = list_runs()
    assert (card.name, card.state) == ("cat", "failed")
    assert "status.json is damaged" in card.message


@pytest.mark.parametrize("state", ["starting", "running", "paused"])
def test_a_trainer_that_is_gone_without_a_word_has_failed(state: RunState) -> None:
    say(make_run(), state, pid_created=process_started_at() - 3600)
    (card,) = list_runs()
    assert (card.state, card.live) == ("failed", False)
    assert "ended unexpectedly" in card.message


def test_a_run_that_never_started_says_so() -> None:
    make_run()
    (card,) = list_runs()
    assert (card.state, card.message, card.step) == ("failed", "it never started", 0)


def test_the_newest_comes_first_and_what_cannot_be_read_comes_last(shipped: Path) -> None:
    for age, name in enumerate(("old", "middle", "new")):
        run = make_run(name)
        run.write_settings(msgspec.structs.replace(run.read_settings(), created=1.0 + age))
    make_run("broken").settings.write_bytes(b"\xff{")
    (paths.models_folder() / "a file").write_bytes(b"")
    (shipped / "given").mkdir(parents=True)
    RunFolder(shipped / "given").write_settings(msgspec.structs.replace(find_run("old").read_settings(), created=9.0))
    assert [(card.name, card.origin) for card in list_runs()] == [
        ("new", "yours"),
        ("middle", "yours"),
        ("old", "yours"),
        ("given", "shipped"),
        ("broken", "yours"),
    ]
    assert "settings.json is damaged" in list_runs()[-1].message


def test_a_taken_name_is_refused_and_another_is_free(shipped: Path) -> None:
    run = make_run("cat")
    with pytest.raises(RunError, match="already"):
        create_run(run.read_settings())
    assert free_name("dog") == "dog"
    assert free_name("cat") == "cat-2"
    (shipped / "cat-2").mkdir(parents=True)
    assert free_name("cat") == "cat-3"


@pytest.mark.parametrize("name", ["a", "my poems 2", "Über-Text", "v1.0_b", "日本", "x" * 64])
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../x", "a\\b", "a\0", "a\n", "x" * 65, "a ", "a.", " a", "-x", "_"]
)
def test_names_that_cannot_be_a_folders(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert caught.value.hint


DEVICES = ("CON", "nul", "Aux", "prn", "com1", "LPT9", "com¹", "NUL.txt", "con.tar.gz", "nul .x", "CONOUT$")


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_of_windows_is_no_name_anywhere(name: str, tmp_path: Path) -> None:
    assert paths.is_reserved(name)
    with pytest.raises(UsageError):
        check_name(name)
    with pytest.raises(UsageError, match="device"):
        write_bytes(tmp_path / name, b"")
    with pytest.raises(UsageError, match="device"), whole_folder(tmp_path / name):
        pass
    assert not list(tmp_path.iterdir())
    assert free_name("nul") == "nul-2"


@pytest.mark.parametrize("name", ["console", "com", "com10", "lpt", "nullable", "my.con", "aux-2"])
def test_other_names_are_no_devices(name: str) -> None:
    assert not paths.is_reserved(name)
    assert check_name(name) == name


APART = unicodedata.normalize("NFD", "café 1")  # as macOS spells it


def test_a_name_is_one_name_however_its_accents_are_spelled() -> None:
    assert check_name(APART) == "café 1"
    made = make_run(APART)
    assert made.model.name == "café 1"
    assert made.read_settings().name == "café 1"
    assert free_name(APART) == "café 1-2"
    assert find_run(APART).model == made.model


def test_a_folder_that_spells_its_name_apart_is_found() -> None:
    made = make_run("plain")
    made.model.rename(made.model.with_name(APART))
    make_model(made.model.with_name(APART))
    for typed in (APART, "café 1"):
        assert find_run(typed).model.name == APART
        assert find_model(typed).name == APART


@pytest.mark.parametrize("name", ["हिन्दी", "ภาษาไทย"])
def test_vowel_signs_are_letters_of_a_name(name: str) -> None:
    assert check_name(name) == unicodedata.normalize("NFC", name)


def test_a_free_name_is_free_where_capitals_are_not_told_apart() -> None:
    make_run("Cat")
    assert free_name("cat") == "cat-2"


def test_a_folder_that_holds_no_model_is_not_called_one() -> None:
    in_the_way = paths.models_folder() / "ghost"
    (in_the_way / "run" / "timeline").mkdir(parents=True)
    with pytest.raises(RunError, match="holds no model"):
        make_run("ghost")
    make_run("cat")
    with pytest.raises(RunError, match="there is a model called 'cat'"):
        make_run("cat")


def test_a_run_that_could_not_be_written_leaves_its_name_free(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = msgspec.structs.replace(make_run("cat").read_settings(), name="dog")

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError):
        create_run(settings)
    monkeypatch.undo()
    assert not (paths.models_folder() / "dog").exists()


def test_what_is_missing_is_named() -> None:
    with pytest.raises(NotFoundError):
        RunFolder(paths.models_folder() / "nothing").read_status()
    make_run("cat")
    with pytest.raises(NotFoundError) as caught:
        find_run("x" * 5000)
    assert "cat" in caught.value.hint


def test_a_run_that_cannot_be_locked_leaves_its_name_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(lock: filelock.FileLock) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(filelock.FileLock, "_acquire", refuse)
        with pytest.raises(StorageError, match="No locks"):
            make_run("cat")
    assert list_runs() == [card for card in list_runs() if card.origin == "shipped"]
    assert not (paths.models_folder() / "cat").exists()
    make_run("cat")
