"""Any text file becomes ids, or is refused with a way out that works."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import split

from tinygpt_tui.corpora.read import read_text, reading
from tinygpt_tui.errors import CorpusError, StorageError
from tinygpt_tui.tokenizers.char import CharTokenizer

FRENCH = (
    "Où est le café ? L'élève déjà naïf mangeait une crêpe à Noël, là-bas, près de la forêt. "
    "Le garçon a été très étonné de voir son père arriver à l'hôtel.\n"
) * 20
GERMAN = (
    "Müller läuft über die Straße. Die schönen Mädchen grüßen den König höflich, während die Bäume im Frühling blühen. "
    "Öl und Äpfel für das Frühstück.\n"
) * 20
ENGLISH = "She said the café was “naïve” – it cost £5 and the résumé was fine. The quick brown fox jumps.\n" * 20
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n" * 20
JAPANESE = "これは日本語の文章です。簡単なテキスト。\n" * 20


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    return path


def test_utf8_is_read_as_it_is(tmp_path: Path) -> None:
    found = read_text(written(tmp_path, "Ça va? 日本 🙂\n".encode()))
    assert (found.text, found.notes) == ("Ça va? 日本 🙂\n", ())
    assert re.fullmatch("[0-9a-f]{64}", found.sha256)


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, codecs.BOM_UTF8 + b"abc")).text == "abc"


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        (FRENCH, "latin-1", "cp1252"),
        (FRENCH + "“quotes” – €\n", "cp1252", "cp1252"),
        (GERMAN, "latin-1", "cp1252"),
        (GERMAN + "„Zitat“ – €\n", "cp1252", "cp1252"),
        (ENGLISH, "cp1252", "cp1252"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (JAPANESE, "cp932", "cp932"),
        (FRENCH, "utf-16", "utf-16"),
        (GERMAN, "utf-32", "utf-32"),
    ],
    ids=lambda value: value if len(value) < 20 else value[:5],
)
def test_other_encodings_are_told_and_noted(tmp_path: Path, text: str, encoding: str, named: str) -> None:
    found = read_text(written(tmp_path, text.encode(encoding)))
    assert found.text == text
    (note,) = found.notes
    assert f"text.txt is not UTF-8; read as {named}" in note


def test_line_ends_are_made_uniform_with_a_note(tmp_path: Path) -> None:
    found = read_text(written(tmp_path, b"a\r\nb\rc\n"))
    assert (found.text, found.notes) == ("a\nb\nc\n", ("line ends made uniform",))


@pytest.mark.parametrize("content", [b"", b"\n", b" \t\r\n\n ", codecs.BOM_UTF8])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorpusError, match="empty") as caught:
        read_text(written(tmp_path, content))
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 4,
        b"PK\x03\x04" + bytes(range(256)) * 4,
        b"text with a zero \x00 in it",
        bytes(range(1, 9)) * 100,
    ],
    ids=["picture", "zip", "zero", "controls"],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorpusError, match="not a text file") as caught:
        read_text(written(tmp_path, content))
    assert caught.value.hint


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "missing.txt", "no file"), (tmp_path, "folder")):
        with pytest.raises(CorpusError, match=words) as caught:
            read_text(path)
        assert caught.value.hint


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tinygpt_tui.corpora.read.open_file", refuse)
    with pytest.raises(StorageError, match="permission"):
        read_text(tmp_path / "secret.txt")


def test_the_split_is_by_position() -> None:
    text = "".join(chr(0x4E00 + i) for i in range(1000))
    corpus = split(text, 8, 0.1)
    assert (len(corpus.train), len(corpus.validation)) == (900, 100)
    ids = [*corpus.train.tolist(), *corpus.validation.tolist()]
    assert "".join(corpus.tokenizer.characters[id] for id in ids) == text


def test_tiny_shakespeare_is_split_as_nanogpt_splits_it(shakespeare: Path) -> None:
    corpus = split(read_text(shakespeare).text, 256, 0.1)
    assert (len(corpus.train), len(corpus.validation), corpus.tokenizer.size) == (1_003_854, 111_540, 65)


def test_a_known_vocabulary_is_kept() -> None:
    corpus = split("abcx" * 50, 8, 0.1, CharTokenizer("cba"))
    assert corpus.train[:4].tolist() == [2, 1, 0, 2]
    assert len(corpus.train) == 135  # of 150: what it does not know is left out


@given(st.integers(0, 400), st.integers(1, 300), st.sampled_from([0.1, 0.05, 0.5, 0.9, 0.001]))
def test_too_short_a_text_is_refused_with_a_way_out_that_works(length: int, block_size: int, share: float) -> None:
    text = "ab" * 200
    try:
        corpus = split(text[:length] or "a", block_size, share)
    except CorpusError as error:
        numbers = [int(number) for number in re.findall(r"\d+", error.message)]
        assert numbers[:2] == [max(1, length), block_size]
        needed = numbers[2]
        split("a" * needed, block_size, share)  # this much is enough
        with pytest.raises(CorpusError):
            split("a" * (needed - 1), block_size, share)  # and one less is not
        smaller = re.search(r"block size of at most (\d+)", error.hint)
        if smaller:
            split(text[:length], int(smaller[1]), share)
        else:
            with pytest.raises(CorpusError):
                split(text[:length] or "a", 1, share)  # no block size would do
    else:
        assert len(corpus.train) > block_size
        assert len(corpus.validation) >= 2


def test_an_absurd_share_is_refused_at_once() -> None:
    with pytest.raises(CorpusError):
        split("ab" * 100, 8, 1e-300)


@pytest.mark.parametrize("content", [b"aaaaaaaaaaaa", b"aaaa\naaaa\n", "é".encode() * 500])
def test_one_repeated_character_is_no_text(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorpusError, match="repeats one character"):
        read_text(written(tmp_path, content))


def test_a_large_file_that_is_no_text_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = written(tmp_path, b"a")
    os.truncate(path, 1 << 42)  # without a place on the disk
    shares = []
    with pytest.raises(CorpusError, match="not a text"):
        shares.extend(reading(path))
    assert not shares
