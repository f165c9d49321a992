"""`tinygpt-tui tokenizer` as a user runs it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tinygpt_tui.cli.main import run
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.cutting import cut, cut_words
from tinygpt_tui.training import vocabulary

TEXT = "the old fox and the wet dog sat on the mat, and the dog ran.\n" * 40


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "fox.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def test_a_tokenizer_is_trained_shown_and_used(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "pieces.json")
    assert run(["tokenizer", "train", "bpe:280", "--corpus", corpus, "--out", place]) == 0
    assert "wrote 280 tokens" in capsys.readouterr().err
    assert run(["tokenizer", "train", "bpe:280", "--corpus", corpus, "--out", place]) != 0
    assert "--force" in capsys.readouterr().err

    assert run(["tokenizer", "show", place]) == 0
    assert " the" in capsys.readouterr().out
    assert run(["tokenizer", "encode", place, "--ids", "the the"]) == 0
    assert len(capsys.readouterr().out.split()) < len("the the")
    monkeypatch.setattr("sys.stdin", io.StringIO("fox 日"))
    assert run(["tokenizer", "encode", place, "-"]) == 0
    assert capsys.readouterr().out.endswith("日³\n")

    for sample, about in ((1 << 18, ""), (1000, "≈")):  # of a long text the tokens are estimated
        monkeypatch.setattr(vocabulary, "SAMPLE", sample)
        assert run(["tokenizer", "compare", "characters", "bytes", "bpe:280", place, "--corpus", corpus]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:3] for line in lines[1:3]] == [
            ["characters", "19", "2,440"],
            ["bytes", "256", f"{about}2,440"],
        ]
        assert [line.split()[:2] for line in lines[3:5]] == [["bpe:280", "280"], [place, "280"]]
    assert "│the│" in lines[-1].replace(" ", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encode", "bpe:300", "x"], "--corpus"),
        (["show", "nowhere.json"], "there is no file"),
        (["show", "bpe:3"], "256 to 65,536"),
    ],
)
def test_what_cannot_be_is_answered_with_a_way_out(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tokenizer", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_character_is_never_cut() -> None:
    tokenizer = ByteTokenizer()
    assert cut_words(cut(tokenizer, list("a日b".encode()))) == "a│日³│b"
    assert cut_words(cut(tokenizer, list("日".encode())[:2])) == "\\xe6\\x97²"
    assert cut_words(cut(tokenizer, [0xFF, ord("a")])) == "\ufffd│a"
