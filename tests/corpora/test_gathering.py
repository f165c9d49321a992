"""Texts from where they are: folders, globs, records, books, archives, and what is wrong with them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import os
import zipfile
from pathlib import Path

import pytest
from makers import small_training

from tinygpt_tui import paths
from tinygpt_tui.corpora import formats
from tinygpt_tui.corpora.catalog import find_corpus
from tinygpt_tui.corpora.formats import Choices, page_text
from tinygpt_tui.corpora.gathering import Gathered, gathering, is_gathered
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.errors import CorpusError, NotFoundError
from tinygpt_tui.progress import exhausted
from tinygpt_tui.tokenizers.documents import BOUNDARY

RECORDS = [{"author": "me@here.org", "text": f"the story number {i}", "n": i, "deep": {"note": "x"}} for i in range(5)]


def gather(*sources: Path | str, **choices: str) -> Gathered:
    return exhausted(gathering(map(str, sources), Choices(**choices)))  # type: ignore[arg-type]


def documents(gathered: Gathered) -> list[str]:
    return read_text(Path(gathered.path)).text.split(BOUNDARY)


def zipped(**members: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return made.getvalue()


def table() -> str:
    made = io.StringIO()
    writer = csv.DictWriter(made, ["author", "text"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(RECORDS)
    return made.getvalue()


LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)
OPF = '<package><item id="b" href="two.xhtml"/><item id="a" href="one.xhtml"/><itemref idref="a"/><itemref idref="b"/>'
FORMATS: dict[str, bytes] = {
    "plain.jsonl": LINES.encode(),
    "one-bad-line.jsonl": (LINES + "{broken\n").encode(),
    "list.json": json.dumps(RECORDS).encode(),
    "inside.json": json.dumps({"version": 1, "data": RECORDS}).encode(),
    "table.csv": table().encode(),
    "table.tsv": table().replace(",", "\t").encode(),
    "packed.jsonl.gz": gzip.compress(LINES.encode()),
    "packed.jsonl.xz": lzma.compress(LINES.encode()),
    "packed.zip": zipped(in__records_jsonl=LINES),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_records_of_any_format_are_documents(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMATS[name])
    found = gather(tmp_path / name)
    assert documents(found) == [record["text"] for record in RECORDS] + [""]
    assert (found.documents, found.records, found.field) == (5, 5, "text")
    assert found.bad_records == ("bad" in name)
    assert f"5 records of `{name}`, field `text` (also: `author`" in found.words()[0]


def test_another_field_and_those_that_are_not_there(tmp_path: Path) -> None:
    place = tmp_path / "r.jsonl"
    place.write_text(LINES)
    assert documents(gather(place, field="author"))[0] == "me@here.org"
    assert gather(place, field="author").addresses == gather(place, field="author").documents == 5
    assert gather(place, field="author").duplicates == 4
    assert documents(gather(place, field="deep.note"))[0] == "x"
    with pytest.raises(CorpusError, match=r"no field 'body'; it has author, deep.note, text"):
        gather(place, field="body")
    chat = {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day"}]}
    place.write_text(json.dumps(chat) + "\n" + json.dumps(chat))
    assert documents(gather(place, turns="none"))[0] == "hello\ngood day"


def test_pages_and_books_are_what_a_reader_sees(tmp_path: Path) -> None:
    page = "<head><title>no</title></head><p>One &amp;\n two</p><script>if (a<b) no()</script><pre>a\n  b</pre>"
    assert page_text(page) == "One & two\n\na\n  b"
    place = tmp_path / "book.epub"
    place.write_bytes(zipped(in__book_opf=OPF, in__two_xhtml="<p>the end</p>", in__one_xhtml="<h1>Once</h1>"))
    assert read_text(Path(gather(place).path)).text == "Once\n\nthe end"


def test_a_mixed_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    for place, content in {
        "a.md": b"first\r\nnote\n",
        "deep/b.txt": "späte Notiz".encode("cp1252") * 3,
        "c.html": b"<p>page</p>",
        "same.txt": b"first\nnote",
        ".git/config": b"hidden",
        "empty.txt": b" \n",
        "x.pdf": b"%PDF-1.7 ...",
        "picture.png": b"\x89PNG\0\0",
        "deep.json": b"[" * 100_000,
        "broken.zip": b"PK nothing",
        "r.jsonl": LINES.encode(),
    }.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(content)
    found = gather(folder)
    assert documents(found)[:3] == ["first\nnote", "page", "the story number 0"]
    assert (found.name, found.files, found.documents, found.duplicates, found.empty) == ("notes", 5, 9, 1, 1)
    assert sorted(name for names in found.left_out.values() for name in names) == [
        "broken.zip", "deep.json", "picture.png", "x.pdf",
    ]  # fmt: skip
    said = "\n".join(found.words())
    assert "9 documents in 5 files" in said
    assert "1 file left out, a PDF: x.pdf" in said
    assert gather(f"{folder}/*.md").documents == 1
    assert gather(folder / "a.md", f"{folder}/**/*.txt").documents == 3
    entry = find_corpus(str(folder))
    assert (entry.name, entry.own, is_gathered(str(entry.path))) == ("notes", True, True)


def test_it_is_written_once_and_again_when_something_changes(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one")
    (tmp_path / "b.md").write_text("two")
    first = gather(tmp_path)
    stamp = Path(first.path).stat().st_mtime_ns
    assert gather(tmp_path) == first
    assert Path(first.path).stat().st_mtime_ns == stamp
    (tmp_path / "b.md").write_text("three")
    os.utime(tmp_path / "b.md", ns=(1, 1))
    changed = gather(tmp_path)
    assert changed.path != first.path
    assert documents(first) == ["one", "two", ""]  # a run that began with it goes on


def test_lines_are_documents_or_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("ann\nbob\n\ncleo\n")
    lines = gather(tmp_path / "names.txt", documents="lines")
    assert documents(lines) == ["ann", "bob", "cleo", ""]
    (tmp_path / "more.txt").write_text(f"{'d' * 200}{BOUNDARY}ora")
    one = read_text(Path(gather(tmp_path, documents="none").path))
    (tmp_path / "data.txt").write_text("0123456789" * 3000)
    assert "the longest line has 30,000 characters" in "\n".join(
        gather(tmp_path / "data.txt", documents="lines").words()
    )
    assert (one.documents, one.text) == (0, f"{'d' * 200} ora\n\nann\nbob\n\ncleo\n\n")


REFUSED: dict[str, tuple[bytes, str]] = {
    "bomb.txt.gz": (gzip.compress(b"a" * 900_000, mtime=0), "very large"),
    "bomb.zip": (zipped(a_txt="a" * 900_000), "very large"),
    "cut.jsonl.gz": (gzip.compress(bytes(range(256)), mtime=0)[:40], "cannot be read"),
    "numbers.jsonl": (b'{"a": 1}\n', "no field with text"),
    "x.html": (b"%PDF-1.4", "a PDF"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_without_a_text_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(formats, "ALWAYS_UNPACKED", 10_000)
    content, said = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=said) as refused:
        gather(tmp_path / name)
    assert refused.value.hint
    assert not list(paths.data_folder().rglob("*.documents"))


def test_nothing_there_is_said_too(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no files in it"):
        gather(tmp_path / "empty")
    with pytest.raises(NotFoundError, match="no file and no folder"):
        gather(tmp_path / "nowhere")


def test_a_document_is_never_split(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("".join(f"name{i}\n" for i in range(100)))
    text = read_text(Path(gather(tmp_path / "names.txt", documents="lines").path))
    corpus = text.split(small_training())
    assert corpus.tokenizer.bytes_of(int(corpus.train[-1])) == BOUNDARY.encode()
    assert bytes(map(ord, "name9")) == b"".join(corpus.tokenizer.bytes_of(int(id)) for id in corpus.validation[:5])


def test_what_is_left_out(tmp_path: Path) -> None:
    for name, content in {
        "a.md": "ask bob@here.org twice",
        "b.md": "b",
        "c.md": "b",
        "d.md": f"k sk-{'a1' * 15}",
    }.items():
        (tmp_path / name).write_text(content)
    found = gather(tmp_path, leave_out=("addresses", "keys", "copies"))
    assert documents(found) == ["ask  twice", "b", "k ", ""]
    said = found.words()
    assert {"1 e-mail address left out", "1 secret key left out", "1 copy left out"} <= set(said)
    only = gather(tmp_path, leave_out=("copies",))
    assert documents(only)[0] == "ask bob@here.org twice"
    assert only.path != found.path
