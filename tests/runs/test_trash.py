"""What was thrown away goes to the platform's trash when nobody can press undo any more, and not before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from makers import make_model

from tinygpt_tui import paths
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.runs import manage, trash


@pytest.fixture
def bin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A desktop's trash: it remembers from where each thing came, as all of them do."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def send(path: Path) -> None:
        path.rename(folder / "--".join(path.parts[-2:]))

    monkeypatch.setattr(trash, "_send", send)
    return folder


def thrown(name: str = "cat") -> manage.TrashedModel:
    model = paths.models_folder() / name
    make_model(model)
    return manage.move_to_trash(model)


def as_of(place: Path, process: int) -> Path:
    """Let another process have thrown it away."""
    return place.rename(place.with_name(f"{place.name.rpartition('~')[0]}~{process}"))


def test_at_the_end_the_platform_has_it_under_its_own_name(bin: Path) -> None:
    one = thrown()
    assert list(bin.iterdir()) == []  # undo still works
    assert trash.hand_over() == 1
    assert [path.name for path in bin.iterdir()] == ["models--cat"]
    assert (bin / "models--cat" / "config.json").is_file()
    with pytest.raises(NotFoundError):
        manage.restore(one)
    assert trash.hand_over() == 0


def test_a_new_model_of_that_name_stays(bin: Path) -> None:
    thrown()
    make_model(paths.models_folder() / "cat")
    assert trash.hand_over() == 1
    assert (paths.models_folder() / "cat" / "config.json").is_file()
    assert [path.name for path in bin.iterdir()] == ["models--cat-2"]


def test_what_another_window_threw_away_is_left_to_it_while_it_lives(bin: Path) -> None:
    place = as_of(thrown().place, os.getppid())
    assert trash.hand_over() == 0
    assert place.exists()
    as_of(place, 2**22 + 7)  # no process has such a number: it has ended
    assert trash.hand_over() == 1


def test_without_a_trash_of_the_platforms_it_waits_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    one = thrown()
    assert trash.hand_over() == 0
    assert manage.restore(one).name == "cat"


def test_where_too_many_wait_the_oldest_goes_to_the_platform(bin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash, "HOLDS", 2)
    first = thrown("one")
    os.utime(first.place, (1, 1))
    kept = [thrown("two"), thrown("three")]
    assert [path.name for path in bin.iterdir()] == ["models--one"]
    assert all(one.place.exists() for one in kept)


def test_a_loose_file_is_thrown_away_too(bin: Path) -> None:
    file = paths.models_folder() / "loose.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PK")
    one = manage.move_to_trash(file)
    assert manage.restore(one) == file
    manage.move_to_trash(file)
    assert trash.hand_over() == 1
    assert (bin / "models--loose.pt").read_bytes() == b"PK"


def test_the_names_of_older_versions_are_known(bin: Path) -> None:
    folder = paths.models_folder() / trash.TRASH
    (folder / "old~cat~1700000000000000000").mkdir(parents=True)
    (folder / "strange").mkdir()
    assert trash.hand_over() == 2
    assert {path.name for path in bin.iterdir()} == {"models--old~cat", "models--strange"}
