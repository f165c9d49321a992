"""Records of .parquet files: the text, what is damaged, and what is too large."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from tinygpt_tui.corpora import parquet
from tinygpt_tui.corpora.formats import Choices
from tinygpt_tui.corpora.gathering import Gathered, gathering
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.errors import CorpusError
from tinygpt_tui.progress import exhausted
from tinygpt_tui.tokenizers.documents import BOUNDARY

ROWS = 600


def gather(*sources: Path, field: str = "") -> Gathered:
    return exhausted(gathering(map(str, sources), Choices(field=field)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    columns = {
        "id": list(range(ROWS)),
        "title": [f"t{number}" for number in range(ROWS)],
        "text": [f"the story number {number}" for number in range(ROWS)],
        "lines": [[f"hello {number}", "you"] for number in range(ROWS)],
        "picture": [b"\0\xff" * 50] * ROWS,
    }
    path = tmp_path / "stories.parquet"
    write_table(arrow.table(columns), path, row_group_size=200)
    return path


def test_a_field_of_its_records_is_the_text(place: Path) -> None:
    found = gather(place)
    assert (found.records, found.documents, found.field) == (ROWS, ROWS, "text")
    assert set(found.fields) == {"text", "title", "lines"}
    texts = read_text(Path(found.path)).text.split(BOUNDARY)
    assert texts[:2] == ["the story number 0", "the story number 1"]
    assert texts[ROWS - 1] == f"the story number {ROWS - 1}"
    assert read_text(Path(gather(place, field="lines").path)).text.startswith(f"hello 0\nyou{BOUNDARY}hello 1")
    packed = place.with_suffix(".parquet.gz")
    packed.write_bytes(gzip.compress(place.read_bytes()))
    assert gather(packed).documents == ROWS


@pytest.mark.parametrize("damage", ["empty", "short", "head", "middle", "footer", "text"])
def test_a_damaged_file_is_left_out_with_a_reason(damage: str, place: Path, tmp_path: Path) -> None:
    content = bytearray(place.read_bytes())
    match damage:
        case "empty":
            content = bytearray()
        case "short":
            del content[len(content) // 2 :]
        case "head":
            content[:4] = b"XXXX"
            content[-4:] = b"XXXX"
        case "middle":
            content[8:4000] = b"\xff" * 3992
        case "footer":
            content[-200:-8] = b"\xff" * 192
        case "text":
            content = bytearray(b"no parquet at all " * 50)
    place.write_bytes(content)
    with pytest.raises(CorpusError, match="damaged") as caught:
        gather(place)
    assert "another file" in caught.value.hint
    (tmp_path / "b.txt").write_text("a text beside it")
    found = gather(tmp_path)
    assert found.documents == 1
    assert any("stories.parquet" in line and "left out" in line for line in found.words())


def test_rows_that_would_fill_the_memory_are_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "LARGEST_GROUP", 1000)
    with pytest.raises(CorpusError, match="smaller ones"):
        gather(place)


def test_without_the_package_it_says_how_to_install_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CorpusError, match=r"needs the package pyarrow.*\[parquet\]"):
        gather(place)
