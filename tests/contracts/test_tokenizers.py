"""What must hold for every tokenizer in the table."""

from __future__ import annotations

import json

import pytest

from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.stream import TextStream
from tinygpt_tui.tokenizers.table import TOKENIZERS, tokenizer_from

TEXT = "Ça va? 日本 🙂\tok\r\n"
EXAMPLES: dict[str, Tokenizer] = {"char": CharTokenizer.of(TEXT)}
every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)


@every_tokenizer
def test_ids_are_below_the_size(name: str) -> None:
    tokenizer = EXAMPLES[name]
    assert tokenizer.name == name
    assert all(0 <= id < tokenizer.size for id in tokenizer.encode(TEXT))


@every_tokenizer
def test_what_is_encoded_comes_back(name: str) -> None:
    tokenizer = EXAMPLES[name]
    ids = tokenizer.encode(TEXT)
    assert b"".join(tokenizer.bytes_of(id) for id in ids).decode("utf-8") == TEXT
    stream = TextStream(tokenizer)
    assert "".join(stream.push(id) for id in ids) + stream.finish() == TEXT


@every_tokenizer
def test_unknown_characters_are_named_and_left_out(name: str) -> None:
    tokenizer = EXAMPLES[name]
    unknown = tokenizer.unknown_in("aЖvЖ")
    assert unknown in ("", "Ж")
    known = "aЖvЖ".replace("Ж", "") if unknown else "aЖvЖ"
    assert b"".join(tokenizer.bytes_of(id) for id in tokenizer.encode("aЖvЖ")).decode("utf-8") == known


@every_tokenizer
def test_it_survives_being_written_down(name: str) -> None:
    tokenizer = EXAMPLES[name]
    again = tokenizer_from(json.loads(json.dumps(tokenizer.to_dict())))
    assert type(again) is type(tokenizer)
    assert again.size == tokenizer.size
    assert again.encode(TEXT) == tokenizer.encode(TEXT)


@every_tokenizer
def test_the_end_of_a_text_is_an_id_or_nothing(name: str) -> None:
    tokenizer = EXAMPLES[name]
    assert tokenizer.end_of_text is None or 0 <= tokenizer.end_of_text < tokenizer.size
