"""A large text is read in another process, tells how far it is, and can be left at any time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinygpt_tui.corpora.formats import Choices
from tinygpt_tui.errors import CorpusError
from tinygpt_tui.progress import exhausted
from tinygpt_tui.runs.text_facts import CorpusFacts, reading_facts
from tinygpt_tui.workers import text_reader
from tinygpt_tui.workers.text_reader import TextReader

TEXT = "the cat sat on the mat; é\r\n"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any text is a large one."""
    monkeypatch.setattr(text_reader, "LARGE", -1)


def read(path: Path, entropy: float | None = None) -> CorpusFacts:
    return exhausted(TextReader(path, "a cat", entropy).fractions())


def test_another_process_finds_what_this_one_does(tmp_path: Path) -> None:
    path = tmp_path / "cat.txt"
    path.write_text(TEXT * 50 + "Q", encoding="utf-8", newline="")
    found = read(path, 1.25)
    assert found == exhausted(reading_facts(path, "a cat", 1.25))
    assert (found.rare, found.notes, found.reference.entropy) == ("Q", ("line ends made uniform",), 1.25)


def test_records_are_read_as_chosen(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"text": "the cat", "note": "ab"}\n' * 9)
    found = exhausted(TextReader(path, "r", None, Choices(field="note")).fractions())
    assert (found.field, found.fields, found.reference.characters) == ("note", ("note", "text"), 9 * len("ab."))
    assert found.reference.path.endswith(".documents")


def test_what_is_no_text_is_said_as_here(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, words in ((tmp_path / "missing.txt", "no file"), (tmp_path / "empty", "no files in it")):
        with pytest.raises(CorpusError, match=words) as caught:
            read(path)
        assert caught.value.hint


def test_a_reading_that_is_closed_ends(tmp_path: Path) -> None:
    path = tmp_path / "cat.txt"
    path.write_text(TEXT, encoding="utf-8")
    reader = TextReader(path, "cat", None)
    reader.close()
    with pytest.raises(CorpusError, match="its reader ended"):
        exhausted(reader.fractions())
