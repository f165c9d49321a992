"""Rename, copy, throw away, take back: the whole folder or nothing, and never under a trainer's feet."""

from __future__ import annotations

import os
import time
from pathlib import Path

import filelock
import pytest
from makers import make_model, make_run

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.library import find_model, list_models
from tinygpt_tui.errors import NotFoundError, RunError, UsageError
from tinygpt_tui.runs import manage, trash
from tinygpt_tui.runs.control import process_started_at
from tinygpt_tui.runs.folder import RunFolder, RunState, RunStatus
from tinygpt_tui.runs.index import find_run, list_runs


def own(name: str = "cat") -> Path:
    run = make_run(name)
    make_model(run.model)
    (run.timeline).mkdir()
    (run.timeline / "step-0000001.safetensors").write_bytes(b"x")
    return run.model


def say(model: Path, state: RunState) -> None:
    status = RunStatus(
        state=state, step=1, steps=9, pid=os.getpid(), pid_created=process_started_at(), time=time.time()
    )
    RunFolder(model).write_status(status)


def names() -> set[str]:
    return {card.name for card in list_models() if card.origin == "yours"}


def test_renamed_it_is_the_same_model_and_run() -> None:
    model = own()
    new = manage.rename(model, "dog 2")
    assert not model.exists()
    assert names() == {"dog 2"}
    assert find_run("dog 2").read_settings().name == "dog 2"
    assert (new / "run" / "timeline" / "step-0000001.safetensors").read_bytes() == b"x"
    assert manage.rename(new, "dog 2") == new


def test_a_name_that_is_taken_or_none() -> None:
    model = own()
    own("dog")
    with pytest.raises(RunError, match="already"):
        manage.rename(model, "dog")
    for name in ("", "../up", "a/b", ".hidden", "x" * 65):
        with pytest.raises(UsageError):
            manage.rename(model, name)
    with pytest.raises(NotFoundError):
        manage.rename(paths.models_folder() / "bird", "fish")
    assert names() == {"cat", "dog"}


@pytest.mark.parametrize("act", [lambda model: manage.rename(model, "dog"), manage.move_to_trash])
def test_one_that_is_trained_or_shipped_stays(act: object) -> None:
    assert callable(act)
    model = own()
    for state in ("starting", "running", "paused"):
        say(model, state)  # type: ignore[arg-type]
        with pytest.raises(RunError, match="being trained"):
            act(model)
    say(model, "finished")
    with filelock.FileLock(RunFolder(model).lock), pytest.raises(RunError, match="being trained"):
        act(model)  # a trainer that has said nothing yet
    with pytest.raises(RunError, match="came with the program"):
        act(paths.shipped_models() / "shakespeare-small")
    assert names() == {"cat"}
    act(model)
    assert "cat" not in names()


def test_thrown_away_and_taken_back_nothing_is_missing() -> None:
    model = own()
    before = sorted(path.relative_to(model) for path in model.rglob("*"))
    thrown = manage.move_to_trash(model)
    assert names() == set()
    assert [card.name for card in list_runs() if card.origin == "yours"] == []
    assert manage.restore(thrown) == model
    assert sorted(path.relative_to(model) for path in model.rglob("*")) == before
    manage.rename(model, "dog")
    with pytest.raises(NotFoundError):
        manage.restore(thrown)


def test_taken_back_it_does_not_cover_a_new_one() -> None:
    thrown = manage.move_to_trash(own())
    own()
    with pytest.raises(RunError, match="another model called"):
        manage.restore(thrown)
    manage.rename(paths.models_folder() / "cat", "cat-2")
    assert manage.restore(thrown).name == "cat"


def test_the_trash_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash, "HOLDS", 2)
    thrown = []
    for number in range(4):
        thrown.append(manage.move_to_trash(own(f"cat{number}")))
        os.utime(thrown[-1].place, (number, number))
    assert [one.place.exists() for one in thrown[-2:]] == [True, True]
    assert sum(one.place.exists() for one in thrown) <= 3
    manage.restore(thrown[-1])


def test_a_copy_stands_by_itself() -> None:
    model = own()
    (model / "run" / "lock").touch()
    copy = manage.duplicate(model, "dog")
    assert names() == {"cat", "dog"}
    assert RunFolder(copy).read_settings().name == "dog"
    assert not (copy / "run" / "lock").exists()
    with pytest.raises(RunError, match="already"):
        manage.duplicate(model, "dog")
    small = manage.duplicate(find_model("shakespeare-small"), "mine")
    assert manage.is_own(small)
    with pytest.raises(NotFoundError):
        manage.duplicate(paths.models_folder() / "bird", "fish")
    assert names() == {"cat", "dog", "mine"}
    say(model, "running")
    with pytest.raises(RunError, match="being trained"):
        manage.duplicate(model, "third")


def test_notes_are_kept_and_empty_ones_are_not() -> None:
    run = RunFolder(own())
    assert manage.read_notes(run) == ""
    manage.write_notes(run, "good one: ä\n\udcff")
    assert manage.read_notes(run) == "good one: ä\n?"
    manage.write_notes(run, "  ")
    assert not run.notes.exists()
    manage.write_notes(run, "")


def test_a_model_is_the_users_own_by_whichever_way_to_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS /tmp is a link: a path that was followed is not the one that was typed."""
    model = own()
    linked = tmp_path / "linked"
    linked.symlink_to(paths.home(), target_is_directory=True)
    monkeypatch.setenv(paths.HOME_VARIABLE, str(linked))
    for path in (model, linked / "models" / model.name):
        assert manage.is_own(path)
    assert not manage.is_own(tmp_path / "elsewhere" / model.name)
    assert manage.rename(model, "dog").exists()
