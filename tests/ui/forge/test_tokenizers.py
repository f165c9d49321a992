"""The tokenizers of a text: its merges are gone through, sentences compared, and the size goes into the form."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input
from train_bench import train_tab

from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.runs.folder import CorpusReference
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.training.text_merges import merges_of
from tinygpt_tui.training.vocabulary import read_tokenizer_file
from tinygpt_tui.ui.forge.compared import Cutter, names_in
from tinygpt_tui.ui.forge.screen import TokenizerScreen
from tinygpt_tui.ui.forge.state import MergePosition, size_of

TEXT = "Der größte Bär trägt süße Äpfel über die Brücke. 🙂🙂\nDas Mädchen lächelt: 日本語! 🙂\n" * 60


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "Märchen.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_position_says_what_is_done_there(text: Path) -> None:
    seen = merges_of(CorpusReference(name="Märchen", path=str(text)), 290)
    place = MergePosition(seen)
    assert place.name == "bpe:256"
    assert not place.go_by(-1)
    assert place.numbers().startswith(f"{len(TEXT.encode()):,} tokens")
    assert place.jump(1)
    assert (place.size, place.is_end) == (290, True)  # the text is asked for no more
    assert place.numbers().startswith(f"{len(seen.history.tokenizer.encode(TEXT)):,} tokens")
    assert place.jump(-1)
    assert place.size == 256
    while place.play():
        assert "".join(piece.text for piece in place.pieces()) == TEXT[:3000]
    words, columns = place.tokens(5)
    assert "34 merged tokens" in words
    assert list(columns) == ["longest", "most frequent", "rarest merged"]
    assert all(len(rows) == 5 for rows in columns.values())
    assert columns["most frequent"][0].times >= columns["most frequent"][1].times
    assert [size_of(typed) for typed in ("bpe 512", "characters", "bpe:3")] == [512, 256, 256]


def test_what_cannot_be_used_is_said_beside_what_can() -> None:
    cutter = Cutter(CorpusText.of(TEXT), {})
    assert names_in('bytes, "my file.json" bytes bpe:300') == ["bytes", "my file.json", "bpe:300"]
    cuts = {name: cutter.cut(name, "Bär 🦊") for name in ("characters", "bytes", "bpe:300", "bpe:3", "nowhere.json")}
    assert cuts["characters"].unknown == "🦊"
    assert [piece[:2] for piece in cuts["bytes"].pieces] == [("B", 1), ("ä", 2), ("r", 1), (" ", 1), ("🦊", 4)]
    assert cuts["bpe:300"].in_text > cuts["characters"].in_text == 1.0
    assert "256 to 65,536" in cuts["bpe:3"].problem
    assert "there is no file" in cuts["nowhere.json"].problem


async def test_merges_are_watched_and_a_size_is_used(text: Path, tmp_path: Path) -> None:
    async with train_tab((80, 24)) as bench:
        await bench.choose(text)
        await bench.read()
        await bench.press("ctrl+k")
        await bench.until(lambda: isinstance(bench.app.screen, TokenizerScreen))
        screen = bench.app.screen
        assert isinstance(screen, TokenizerScreen)
        await bench.until(lambda: screen.position is not None)
        await bench.sees("no merge yet", "ö²", "🙂⁴")
        await bench.press("space")
        await bench.until(lambda: screen.position is not None and screen.position.at > 3)
        await bench.press("space")
        await bench.press("end")
        assert screen.position is not None
        assert screen.position.is_end
        await bench.press("left")
        await bench.sees("größte Bär", f"merge {screen.position.seen.most - 1:,}:")

        await bench.press("p")
        await bench.until(lambda: screen.cuts)
        screen.query_one("#forge-sentence", Input).value = "Bär 🦊"
        await bench.sees("B│ä²│r│ │🦊⁴", "no token for 🦊")
        screen.query_one("#forge-names", Input).value = "bytes nowhere.json"
        await bench.sees("✗ there is no file")
        await bench.press("escape", "3")
        await bench.sees("most frequent")

        await bench.press("f9")
        await bench.until(lambda: bench.app.screen.is_modal)
        saved = tmp_path / "pieces.json"
        bench.app.screen.query_one(Input).value = str(saved)
        await bench.press("enter")
        await bench.until(lambda: not bench.app.screen.is_modal)
        tokenizer = read_tokenizer_file(saved)
        assert isinstance(tokenizer, BPETokenizer)
        assert tokenizer.size == screen.position.size

        await bench.press("enter")
        await bench.until(lambda: bench.app.screen is bench.screen)
        assert bench.form.state.texts["tokenizer"] == f"bpe:{tokenizer.size}"
        assert not bench.problem("tokenizer")
