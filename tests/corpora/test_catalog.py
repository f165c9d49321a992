"""What a corpus's name means: a row of the catalogue, a text of the user's own, a path."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

import pytest

from tinygpt_tui import paths
from tinygpt_tui.corpora.catalog import find_corpus, list_corpora, read_catalog
from tinygpt_tui.errors import NotFoundError


def own_text(name: str, content: str = "hello\n") -> Path:
    path = paths.data_folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_the_shipped_texts_are_what_the_catalogue_says() -> None:
    for entry in list_corpora():
        if entry.path is None:
            assert entry.row.url
            continue
        content = Path(entry.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry.row.sha256
        assert len(content.decode("utf-8")) == entry.row.characters
        assert entry.row.licence
        assert entry.row.source


def test_asking_makes_no_folder(home: Path) -> None:
    list_corpora()
    assert not home.exists()


def test_a_downloadable_text_is_not_here_until_it_is_whole() -> None:
    row = read_catalog()["shakespeare"]
    assert not find_corpus("shakespeare").here
    path = own_text(row.file, "half of it")
    assert not find_corpus("shakespeare").here
    path.write_bytes(b"x" * row.bytes)
    assert find_corpus("shakespeare").path == str(path)


def test_own_texts_are_listed_by_their_names() -> None:
    path = own_text("diary.txt")
    (paths.data_folder() / "folder.txt").mkdir()
    (paths.data_folder() / "dangling.txt").symlink_to("nowhere")
    own_text("picture.png")
    names = [entry.name for entry in list_corpora()]
    assert names == [*read_catalog(), "diary"]
    entry = find_corpus("diary")
    assert (entry.here, entry.path, entry.row.bytes) == (True, str(path), 6)


def test_a_path_is_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notes.md"
    path.write_text("hello\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in (str(path), "notes.md", "./notes.md"):
        entry = find_corpus(name)
        assert (entry.name, entry.path) == ("notes", str(path))


@pytest.mark.parametrize("name", ["", "nothing", "no/such/file.txt", "x" * 5000, "~nobody-of-that-name/x.txt"])
def test_what_is_not_there_names_what_is(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        find_corpus(name)
    assert "tales" in caught.value.hint


def test_a_folder_or_a_glob_is_a_corpus_of_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("a note")
    for name in ("notes", "notes/*.md"):
        entry = find_corpus(str(tmp_path / name))
        assert (entry.name, entry.own, entry.path) == ("notes", True, str(tmp_path / name))


def test_a_text_whose_name_spells_its_accents_apart_is_found() -> None:
    """As macOS spells it."""
    path = own_text(unicodedata.normalize("NFD", "café.txt"))
    for typed in (path.stem, "café"):
        assert find_corpus(typed).path == str(path)
