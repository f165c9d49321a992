"""A large text stays in its file, and its ids in another: the same as in memory, written once, whole or not at all."""

from __future__ import annotations

import codecs
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from makers import small_training, tiny_gpt

from tinygpt_tui import paths
from tinygpt_tui.corpora import cache, corpus, large, read
from tinygpt_tui.corpora.cache import clear, entries, read_cached, save_cached, storing
from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.corpora.read import GATHERED, read_text
from tinygpt_tui.errors import CorpusError, StorageError
from tinygpt_tui.progress import exhausted
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.tokenizers.ids import Ids
from tinygpt_tui.training.vocabulary import tokenizer_for

LINES = "Où est le café ? L'élève mangeait une crêpe à Noël,\r\nprès de la forêt 🙂 日本.\n"
TEXT = LINES * 40
NAMES = "".join(f"{name}{BOUNDARY}" for name in ("Zoë", "anna bell", "Jörg", "emma\tj") * 300)
PLAIN = "Der König grüßt die schönen Mädchen höflich.\n" * 100
TRAINING = TrainingSettings(architecture=tiny_gpt(block_size=8))


def file_of(tmp_path: Path, content: bytes, name: str = "text.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of a few kilobytes are large, and read in pieces that cut characters and line ends."""
    monkeypatch.setattr(read, "LARGEST_IN_MEMORY", 1000)
    monkeypatch.setattr(large, "BYTES_AT_ONCE", 68)
    monkeypatch.setattr(corpus, "AT_ONCE", 50)


def ids_of(found: Corpus) -> tuple[list[int], list[int], int]:
    return found.train.tolist(), found.validation.tolist(), found.validation_characters


@pytest.mark.parametrize("name", ["characters", "bytes", "bpe:300"])
@pytest.mark.parametrize(("content", "suffix"), [(TEXT, ".txt"), (NAMES, GATHERED)], ids=["text", "documents"])
def test_it_is_read_and_split_as_in_memory(
    name: str, content: str, suffix: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = file_of(tmp_path, codecs.BOM_UTF8 + content.encode(), f"text{suffix}")
    text = read_text(path)
    tokenizer = tokenizer_for(name, text)
    in_memory = text.split(TRAINING, tokenizer)
    assert in_memory.file is None
    request.getfixturevalue("small_memory")
    stored = read_text(path)
    assert (stored.text, stored.counts, stored.documents) == (text.text, text.counts, text.documents)
    assert (stored.sha256, stored.notes, stored.guessed) == (text.sha256, text.notes, text.guessed)
    assert tokenizer_for(name, stored).to_dict() == tokenizer.to_dict() == tokenizer_for(name, stored).to_dict()
    found = stored.split(TRAINING, tokenizer)
    assert found.file is not None
    assert found.train.dtype == in_memory.train.dtype
    assert ids_of(found) == ids_of(in_memory)
    assert ids_of(stored.joined().split(TRAINING)) == ids_of(text.joined().split(TRAINING))


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (PLAIN.encode("cp1252"), "auto"),
        (PLAIN.encode("utf-16"), "auto"),
        (PLAIN.encode("cp1250"), "cp1250"),
        (PLAIN.encode() + b"\xe4", "auto"),
        (PLAIN.encode("cp1250") + b"\x81", "cp1250"),
    ],
    ids=["guessed", "utf-16", "named", "nearly UTF-8", "nearly the named one"],
)
def test_other_encodings(content: bytes, encoding: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = file_of(tmp_path, content)
    text = read_text(path, encoding)
    request.getfixturevalue("small_memory")
    stored = read_text(path, encoding)
    assert (stored.text, stored.guessed, len(stored.notes)) == (text.text, text.guessed, len(text.notes))
    assert PLAIN in stored.text


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [(b"a" * 2000, "auto", "repeats one"), (b" \n" * 2000, "auto", "empty"), (TEXT.encode(), "ascii", "not ascii")],
    ids=["a letter", "white space", "another encoding"],
)
def test_what_cannot_be_trained_on(content: bytes, encoding: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=said) as refused:
        read_text(file_of(tmp_path, content), encoding)
    assert refused.value.hint


@pytest.mark.usefixtures("small_memory")
def test_it_is_made_once_for_a_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_of(tmp_path, TEXT.encode())
    first = read_text(path).split(TRAINING)
    wanted = ids_of(first)
    with monkeypatch.context() as patched:
        patched.setattr(read, "examining", None)
        patched.setattr(corpus, "_ids_of", None)
        copy = file_of(tmp_path, TEXT.encode(), "text.txt")
        again = read_text(copy).split(TRAINING)
        assert (again.file, ids_of(again)) == (first.file, wanted)
    os.truncate(first.file or "", 100)  # damaged: made again
    assert ids_of(read_text(path).split(TRAINING)) == wanted
    other = read_text(file_of(tmp_path, TEXT.encode() + b"more")).split(TRAINING)
    assert other.file != first.file
    assert len(other.validation) + len(other.train) == len(first.validation) + len(first.train) + 4


@pytest.mark.usefixtures("small_memory")
def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, TEXT.encode())
    text = read_text(path)
    steps = text.splitting(TRAINING)
    next(steps)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(CorpusError, match="changed while it was read"):
        exhausted(steps)
    assert not list((paths.home() / "cache").glob("*.ids"))


def parts(*, fails: bool = False) -> Iterator[tuple[float, bool, Ids]]:
    assert not fails, "these ids are there already"
    yield 0.5, False, np.arange(5, dtype=np.uint8)
    yield 1.0, True, np.arange(3, dtype=np.uint8)


def test_one_process_writes_and_the_other_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WAIT_S", 0.0)
    uint8 = np.dtype(np.uint8)
    left = paths.home() / "cache" / ".key.ids.999999999-x.part"  # of a writer that was killed
    left.parent.mkdir(parents=True)
    left.write_bytes(b"12345678")
    stopped = storing("key", uint8, parts(), 8)
    assert next(stopped) == 0.5
    stopped.close()
    writes, waits = storing("key", uint8, parts(), 8), storing("key", uint8, parts(fails=True), 8)
    assert [next(writes), next(waits), next(waits)] == [0.5, 0.0, 0.0]
    assert exhausted(writes).validation.tolist() == [0, 1, 2]
    assert exhausted(waits).train.tolist() == [0, 1, 2, 3, 4]
    assert sorted(path.suffix for path in left.parent.iterdir()) == [".ids", ".json", ".lock"]


def test_too_little_room_is_said_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    save_cached("old.text", {"a": 1})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 95, 5))  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match="5 bytes are free") as refused:
        exhausted(storing("key", np.dtype(np.uint8), parts(fails=True), 8))
    assert refused.value.hint
    assert read_cached("old.text", dict[str, int]) is None  # it made room first


def test_what_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for age, key in ((3, "a"), (2, "b"), (1, "c")):
        save_cached(f"{key}.text", {"x": age})
        os.utime(paths.home() / "cache" / f"{key}.text", (1e9 - age, 1e9 - age))
    assert read_cached("a.text", dict[str, int]) == {"x": 3}  # used now
    monkeypatch.setattr(cache, "LARGEST", 30)
    exhausted(storing("new", np.dtype(np.uint8), parts(), 8))
    assert {key for _, _, key in entries()} == {"new"} | {key for _, _, key in entries() if key in "ac"}
    assert "b" not in {key for _, _, key in entries()}
    assert clear() > 0
    assert entries() == []


def test_a_text_is_shown_around_a_place() -> None:
    text = CorpusText((TEXT, TEXT))
    place = len(TEXT) + TEXT.index("crêpe")
    found = text.around(place)
    assert found.text[found.place :].startswith("crêpe")
    assert found.line == (TEXT * 2).count("\n", 0, place) + 1


@pytest.mark.parametrize(("share", "documents"), [(0.9, 1), (0.3, 2), (0.05, 3)])
def test_the_split_is_behind_a_document(share: float, documents: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"{name}{BOUNDARY}" for name in ("one " * 9, "two " * 9, "three " * 6, "four " * 2))
    monkeypatch.setattr(corpus, "AT_ONCE", 7)
    training = small_training(validation_share=share, block_size=8)
    found = CorpusText.of(text, documents=4).split(training)
    boundary = found.tokenizer.encode(BOUNDARY)[0]
    assert (found.train == boundary).sum() == documents
    assert found.train[-1] == boundary
