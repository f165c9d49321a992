"""Texts in any encoding: UTF-8 with faults stays UTF-8, other encodings are told apart, and a named one is obeyed."""

from __future__ import annotations

import pytest

from tinygpt_tui.corpora.encodings import decode
from tinygpt_tui.errors import CorpusError, UsageError

TEXTS = {
    "English": "“I’ll not budge an inch, boy: let him come,” said he — and so it was.\n" * 20,
    "French": "Longtemps, je me suis couché de bonne heure. Où était-ce ? Ça m’évoque l’été.\n" * 20,
    "Greek": "Καλημέρα κόσμε, τι κάνεις σήμερα; Είμαι καλά.\n" * 20,
    "Russian": "Все счастливые семьи похожи друг на друга.\n" * 20,
    "Polish": "Zażółć gęślą jaźń, powiedział i wyszedł wcześnie rano z domu.\n" * 20,
    "Japanese": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 20,
    "emoji": "we went to the beach 🏖️ and it was great 😀😀\n" * 20,
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_cut_at_any_byte_loses_that_character_alone(language: str) -> None:
    text = TEXTS[language]
    raw = text.encode()
    for bytes_left_out in range(1, 200):
        for part in (raw[:-bytes_left_out], raw[bytes_left_out:], raw[bytes_left_out:-bytes_left_out]):
            got, notes, _ = decode(part, "text.txt")
            assert got == part.decode("utf-8", "ignore")
            assert got in text
            assert bool(notes) == (len(got.encode()) < len(part))


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("bad", [b"\xff", b"\xe9", b"caf\xe9 d\xe9j\xe0 vu\n", b"\x80\x80"], ids=repr)
def test_a_few_bad_bytes_are_left_out_and_counted(language: str, bad: bytes) -> None:
    raw = TEXTS[language].encode()
    count = sum(byte >= 0x80 for byte in bad)
    for place in (0, raw.index(b"\n") + 1, len(raw)):
        got, (note,), _ = decode(raw[:place] + bad + raw[place:], "text.txt")
        assert (
            got == TEXTS[language][: len(raw[:place].decode())] + bad.decode("utf-8", "ignore") + raw[place:].decode()
        )
        assert f"except for {count} byte" in note


@pytest.mark.parametrize(
    ("language", "encoding"),
    [("French", "cp1252"), ("Greek", "cp1253"), ("Russian", "cp1251"), ("Russian", "koi8-r"), ("Japanese", "cp932"),
     ("Japanese", "euc-jp"), ("Japanese", "gb18030"), ("French", "utf-16")],
)  # fmt: skip
def test_another_encoding_is_guessed_and_a_line_shows_it(language: str, encoding: str) -> None:
    raw = TEXTS[language].encode(encoding, "ignore")
    got, (note,), guessed = decode(raw, "text.txt")
    assert guessed
    assert got == raw.decode(encoding)
    assert f"read as {encoding}" in note
    assert max(note) in TEXTS[language]  # letters that a wrong guess would show otherwise


def test_a_named_encoding_is_obeyed() -> None:
    polish = TEXTS["Polish"]
    assert decode(polish.encode("iso8859-2"), "a.txt")[0] != polish  # the guess is wrong, and says so
    assert decode(polish.encode("iso8859-2"), "a.txt", "latin2") == (polish, [], False)
    assert decode("naïve".encode("utf-16-le"), "a.txt", "utf-16-le") == ("naïve", [], False)
    assert decode(polish.encode("utf-8-sig"), "a.txt", "utf-8") == (polish, [], False)
    text, (note,), _ = decode(b"fine " * 100 + b"\xff", "a.txt", "ascii")
    assert text == "fine " * 100
    assert "1 place" in note


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", ""])
def test_an_encoding_that_there_is_not(encoding: str) -> None:
    with pytest.raises(UsageError, match="is not known"):
        decode(b"abc", "a.txt", encoding)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp932", "utf-16"])
def test_a_named_encoding_that_does_not_fit(encoding: str) -> None:
    with pytest.raises(CorpusError, match=f"is not {encoding}"):
        decode(bytes(range(0x80, 0x100)) * 9 + b"a", "a.txt", encoding)


def test_a_program_is_no_text() -> None:
    with pytest.raises(CorpusError, match="is not a text file"):
        decode(bytes(range(256)) * 20, "a.out")
