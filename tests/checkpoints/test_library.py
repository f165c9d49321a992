"""Which models there are, and which one a name means."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from foreign_programs import Lecture, made
from makers import make_model

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.library import find_model, list_models
from tinygpt_tui.errors import CheckpointError, NotFoundError


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shipped folder of the test's own."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(paths, "shipped_models", lambda: folder)
    return folder


def test_no_models_and_no_folders_made(home: Path) -> None:
    assert list_models() == []
    assert not home.exists()
    with pytest.raises(NotFoundError) as caught:
        find_model("any")
    assert "tinygpt-tui train" in caught.value.hint


def test_own_models_hide_shipped_namesakes(shipped: Path) -> None:
    make_model(shipped / "poems")
    make_model(shipped / "tales")
    make_model(paths.models_folder() / "tales")
    assert [(card.name, card.origin) for card in list_models()] == [("poems", "shipped"), ("tales", "yours")]
    assert find_model("tales") == paths.models_folder() / "tales"
    assert find_model("poems") == shipped / "poems"


def test_a_path_means_itself(tmp_path: Path) -> None:
    make_model(tmp_path / "elsewhere")
    assert find_model(str(tmp_path / "elsewhere")) == tmp_path / "elsewhere"


def test_an_unknown_name_names_the_nearest(shipped: Path) -> None:
    for name in ("shakespeare", "tales", "poems"):
        make_model(shipped / name)
    with pytest.raises(NotFoundError) as caught:
        find_model("shakespear")
    assert "shakespeare" in caught.value.hint
    assert "poems" not in caught.value.hint


@pytest.mark.parametrize("name", ["", "x" * 5000, "~no-such-user", "a\0b"])
def test_strange_names_are_only_unknown(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "now").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "now")
    with pytest.raises(NotFoundError):
        find_model(name)
    with pytest.raises(CheckpointError, match="no weights in"):
        find_model("../..")


def test_one_folder_that_may_not_be_read_does_not_hide_the_others(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model(shipped / "open")
    make_model(shipped / "secret")
    plain = Path.is_file

    def is_file(path: Path) -> bool:
        if "secret" in path.parts:
            raise PermissionError(13, "Permission denied")
        return plain(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    assert [card.name for card in list_models()] == ["open"]
    monkeypatch.undo()


def test_a_damaged_model_is_listed_with_its_problem(shipped: Path) -> None:
    make_model(shipped / "whole")
    make_model(shipped / "broken")
    (shipped / "broken" / "config.json").write_bytes(b"\xff")
    problems = {card.name: card.problem for card in list_models()}
    assert problems["whole"] == ""
    assert "cannot be read" in problems["broken"]


def test_other_programs_models_are_listed_beside_ours(shipped: Path) -> None:
    make_model(shipped / "ours")
    place = paths.models_folder()
    (place / "folder").mkdir(parents=True)
    torch.save(made(Lecture(V=5, T=7)).state_dict(), place / "folder" / "model.pth")
    torch.save(made(Lecture(V=6)).state_dict(), place / "loose.pt")
    (place / "notes.txt").write_text("no model", encoding="utf-8")
    (place / ".trash").mkdir()
    torch.save(made(Lecture()).state_dict(), place / ".trash" / "thrown.pt")
    cards = {card.name: card for card in list_models()}
    assert list(cards) == ["folder", "loose.pt", "ours"]
    assert (cards["folder"].layout, cards["folder"].origin, cards["folder"].problem) == ("lecture", "yours", "")
    assert (cards["folder"].vocab_size, cards["folder"].block_size) == (5, 7)
    assert cards["folder"].parameters == sum(weight.numel() for weight in Lecture(V=5, T=7).parameters())
    assert cards["folder"].facts[0].name == "layout"
    assert find_model("loose.pt") == place / "loose.pt"


def test_other_programs_damaged_files_are_listed_with_what_is_wrong(shipped: Path) -> None:
    place = paths.models_folder()
    (place / "two").mkdir(parents=True)
    for name in ("a.pt", "b.pt"):
        torch.save(made(Lecture()).state_dict(), place / "two" / name)
    (place / "half.pt").write_bytes((place / "two" / "a.pt").read_bytes()[:3000])
    cards = {card.name: card for card in list_models()}
    assert "holds 2 checkpoints" in cards["two"].problem
    assert "half.pt is damaged" in cards["half.pt"].problem


def test_a_file_that_was_mended_is_looked_at_again(shipped: Path) -> None:
    place = paths.models_folder()
    place.mkdir(parents=True)
    (place / "late.pt").write_bytes(b"PK")
    assert list_models()[0].problem
    torch.save(made(Lecture()).state_dict(), place / "late.pt")
    assert not list_models()[0].problem
