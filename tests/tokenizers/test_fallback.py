"""Characters with byte fallback: the frequent ones are a token each, all others are their bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.planning.tokens import with_fallback
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer
from tinygpt_tui.tokenizers.documents import BOUNDARY, DocumentTokenizer
from tinygpt_tui.tokenizers.ids import counts_of
from tinygpt_tui.tokenizers.stream import TextStream
from tinygpt_tui.tokenizers.table import tokenizer_from
from tinygpt_tui.training.vocabulary import count_tokens, tokenizer_for

TEXT = "日本日本日 ab ab\n" * 20 + "é🙂語<0x41>"


def of(text: str, fewest: int) -> ByteTokenizer:
    return ByteTokenizer.of_counts(counts_of(text), fewest)


def test_the_frequent_characters_are_a_token_each() -> None:
    tokenizer = of(TEXT, 5)
    assert tokenizer.characters == "日本"
    assert tokenizer.size == 256 + 2
    assert tokenizer.encode("ab") == [97, 98]
    assert [len(tokenizer.encode(one)) for one in "日é🙂語"] == [1, 2, 4, 3]
    assert tokenizer.unknown_in(TEXT + "ß") == ""
    assert of(TEXT, 1).encode("é🙂語") != of(TEXT, 5).encode("é🙂語")


def test_a_token_is_never_shown_in_halves() -> None:
    tokenizer = of(TEXT, 5)
    stream = TextStream(tokenizer)
    assert [stream.push(id) for id in tokenizer.encode("日🙂a")] == ["日", "", "", "", "🙂", "a"]


@pytest.mark.parametrize("marks", ["none", "documents", "roles"])
def test_a_large_text_has_the_same_ids(marks: str) -> None:
    """What a run reads in pieces, fast, is what `encode` returns."""
    inner = of(TEXT, 5)
    text = TEXT + "é" + TEXT
    if marks == "none":
        pieces = [text[:7], text[7:300], text[300:]]
        assert np.concatenate([*inner.encoding(pieces)]).tolist() == inner.encode(text)
        return
    tokenizer = DocumentTokenizer(inner) if marks == "documents" else DialogueTokenizer(inner, ("a", "b"), ("b",))
    found = np.concatenate([*tokenizer.encoding([TEXT + BOUNDARY, text + BOUNDARY])]).tolist()
    assert found == [*tokenizer.encode(TEXT), *tokenizer.encode(text), 0][1:]


@pytest.mark.parametrize("characters", ["日日", "a日", "\ud800"])
def test_a_damaged_vocabulary_is_refused(characters: str) -> None:
    with pytest.raises(CheckpointError, match="twice"):
        tokenizer_from({"name": "byte", "characters": characters})


def test_it_comes_back_from_its_file() -> None:
    tokenizer = of(TEXT, 5)
    again = tokenizer_from(tokenizer.to_dict())
    assert isinstance(again, ByteTokenizer)
    assert again.characters == tokenizer.characters
    assert again.encode(TEXT) == tokenizer.encode(TEXT)


def test_a_setting_names_it_and_the_form_knows_its_size() -> None:
    text = CorpusText.of(TEXT)
    tokenizer = tokenizer_for("characters:5", text)
    assert with_fallback(text.counts, 5) == (count_tokens(text, tokenizer), tokenizer.size)
    corpus = text.split(TrainingSettings(validation_share=0.2), tokenizer)
    assert len(corpus.train) + len(corpus.validation) == count_tokens(text, tokenizer)
    assert b"".join(map(tokenizer.bytes_of, corpus.validation.tolist())).decode().endswith("é🙂語<0x41>")
    assert corpus.characters_per_token < 1.0


def test_another_program_writes_the_same(tmp_path: Path) -> None:
    """The tokenizers library reads the exported file."""
    tokenizers = pytest.importorskip("tokenizers")
    from tinygpt_tui.exports.hugging_face import _write_tokenizer

    ours = of(TEXT, 5)
    _write_tokenizer(tmp_path, ours, 64)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = theirs.encode(TEXT, add_special_tokens=False).ids
    assert ids == ours.encode(TEXT)
    assert theirs.decode(ids) == TEXT
