"""What must hold for every tokenizer in the table."""

from __future__ import annotations

import json

import pytest

from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import END_OF_TEXT, BPETokenizer, letters_of_bytes
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer
from tinygpt_tui.tokenizers.documents import DocumentTokenizer
from tinygpt_tui.tokenizers.hugging_face import HuggingFaceTokenizer
from tinygpt_tui.tokenizers.numbers import NumberTokenizer
from tinygpt_tui.tokenizers.padded import PaddedTokenizer
from tinygpt_tui.tokenizers.pieces import PiecesTokenizer
from tinygpt_tui.tokenizers.stream import TextStream
from tinygpt_tui.tokenizers.table import TOKENIZERS, tokenizer_from

TEXT = "Ça va? 日本 🙂\tok\r\n"
LETTERS = letters_of_bytes()
MERGES = [("o", "k"), ("Ġ", "v"), (LETTERS[0xE6], LETTERS[0x97])]  # the last is a part of 日
EXAMPLES: dict[str, Tokenizer] = {
    "char": CharTokenizer.of(TEXT),
    "byte": ByteTokenizer(),
    "bpe": BPETokenizer(
        {token: id for id, token in enumerate([END_OF_TEXT, *LETTERS.values(), *map("".join, MERGES)])}, MERGES
    ),
    "documents": DocumentTokenizer(CharTokenizer.of(TEXT)),
    "dialogues": DialogueTokenizer(CharTokenizer.of(TEXT), ("user", "assistant"), ("assistant",)),
    "padded": PaddedTokenizer(CharTokenizer.of(TEXT), 64),
    "numbers": NumberTokenizer(17),
    "pieces": PiecesTokenizer(
        ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "a", "o", "k", "ok", " v"],
        [0.0] * 262,
        (0,),
        blank_before=False,
    ),
}
EXAMPLES["hugging-face"] = HuggingFaceTokenizer(
    {
        "model": {"type": "BPE", "vocab": {token: id for id, token in enumerate(LETTERS.values())}, "merges": []},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    },
    end_of_text=255,
)
every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)


@every_tokenizer
def test_ids_are_below_the_size(name: str) -> None:
    tokenizer = EXAMPLES[name]
    assert tokenizer.name == name
    assert all(0 <= id < tokenizer.size for id in tokenizer.encode(TEXT))


@every_tokenizer
def test_what_is_encoded_comes_back(name: str) -> None:
    tokenizer = EXAMPLES[name]
    text = "‹3›‹16›" if name == "numbers" else TEXT
    assert tokenizer.unknown_in(text) == ""
    ids = tokenizer.encode(text)
    assert b"".join(tokenizer.bytes_of(id) for id in ids).decode("utf-8") == text
    stream = TextStream(tokenizer)
    assert "".join(stream.push(id) for id in ids) + stream.finish() == text


def test_every_row_of_the_table_is_tested() -> None:
    assert EXAMPLES.keys() == TOKENIZERS.keys()


def test_bpe_joins_what_it_has_learnt_and_never_shows_half_a_character() -> None:
    tokenizer = EXAMPLES["bpe"]
    ids = tokenizer.encode("ok 日")
    assert len(ids) == 4  # ok, the blank, two thirds of 日, its last byte
    stream = TextStream(tokenizer)
    assert [stream.push(id) for id in ids] == ["ok", " ", "", "日"]
    assert tokenizer.encode(f"ok{END_OF_TEXT}ok") == [257, 0, 257]
    assert tokenizer.end_of_text == 0


@every_tokenizer
def test_unknown_characters_are_named_and_left_out(name: str) -> None:
    tokenizer = EXAMPLES[name]
    unknown = tokenizer.unknown_in("aЖvЖ")
    assert unknown in ("", "Ж", "aЖv")
    known = "".join(character for character in "aЖvЖ" if character not in unknown)
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
