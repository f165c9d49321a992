"""What `data --clear-cache` removes: gathered and downloaded texts, but none that a run refers to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinygpt_tui import paths
from tinygpt_tui.cli.main import run
from tinygpt_tui.corpora.catalog import FETCHED, find_corpus
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.corpora.formats import Choices
from tinygpt_tui.corpora.gathering import gathering
from tinygpt_tui.files import FORGOTTEN_S
from tinygpt_tui.progress import exhausted
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.index import create_run
from tinygpt_tui.runs.new_run import new_run, reference
from tinygpt_tui.runs.trash import TRASH
from tinygpt_tui.runs.unused_texts import remove_unused, unused_texts
from tinygpt_tui.settings.training import TrainingSettings


def gather(place: Path, words: str) -> Path:
    place.write_text(f"{words}\n" * 50)
    return Path(exhausted(gathering([str(place)], Choices(documents="lines"))).path)


def fetch(name: str, content: str = "downloaded") -> Path:
    path = paths.data_folder() / FETCHED / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def start(name: str, text: Path) -> RunFolder:
    known = reference(find_corpus(str(text)), CorpusText.of("ab"), "auto")
    return create_run(new_run(name, "quick", TrainingSettings(), known))


def test_what_a_run_refers_to_stays(tmp_path: Path) -> None:
    used, deleted, other = (gather(tmp_path / f"{name}.txt", name) for name in ("used", "deleted", "other"))
    book, page = fetch("book-0a1b2c3d.txt"), fetch("page-11223344.html")
    start("one", used)
    start("two", book)
    model = start("gone", deleted).model
    (model.parent / TRASH).mkdir()
    model.rename(model.parent / TRASH / "gone~1234567890123456~1")  # it can be restored
    damaged = start("damaged", page)
    damaged.settings.write_text(damaged.settings.read_text().replace('"format"', '"unknown"') + "}")
    assert [text.name for text in unused_texts()] == [other.name]
    assert [text.name for text in remove_unused()] == [other.name]
    assert all(path.is_file() for path in (used, deleted, book, page))
    assert not other.exists()
    assert not other.with_suffix(".json").exists()
    assert unused_texts() == []


def test_a_data_set_is_removed_as_a_whole_but_not_while_it_arrives() -> None:
    fetch("0a1b2c3d/tales/00000.parquet", "x" * 1000)
    (text,) = unused_texts()
    assert (text.name, text.size >= 1000) == ("tales", True)
    part = fetch("0a1b2c3d/.tales.abc.part/00000.parquet")
    assert unused_texts() == []
    os.utime(part.parent, (0, part.stat().st_mtime - FORGOTTEN_S - 1))
    assert remove_unused()
    assert [*(paths.data_folder() / FETCHED).iterdir()] == []


def test_the_command_says_what_and_how_much(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gathered = gather(tmp_path / "notes.txt", "the old cat")
    fetch("page-11223344.html", "x" * 2000)
    assert run(["data"]) == 0
    assert "2 gathered or downloaded texts that no run refers to: " in capsys.readouterr().err
    assert run(["data", "--clear-cache"]) == 0
    said = capsys.readouterr().err
    assert f"removed {gathered.name}" in said
    assert "removed page-11223344.html (2.0 kB)" in said
    assert run(["data"]) == 0
    assert "no run refers to" not in capsys.readouterr().err
