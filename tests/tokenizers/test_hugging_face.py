"""A tokenizer.json: the ids are those of Hugging Face's library, and their bytes are its text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.readers.tokenizer_json import read_tokenizer_json
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.hugging_face import HuggingFaceTokenizer

library = pytest.importorskip("tokenizers")

TEXT = "the cat sat on the mat, and the cat said: 1234 times  on 日本 🙂\n\tthe end don't"


def trained(tokenizer: Any, trainer: Any) -> Any:
    tokenizer.train_from_iterator(["the cat sat on the mat and the cat sat on the hat, 1234 times 日"] * 20, trainer)
    return tokenizer


def like_smollm() -> Any:
    made = library.Tokenizer(library.models.BPE())
    parts = library.pre_tokenizers
    made.pre_tokenizer = parts.Sequence([parts.Digits(individual_digits=True), parts.ByteLevel(add_prefix_space=False)])
    made.decoder = library.decoders.ByteLevel()
    alphabet = parts.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|im_start|>"]
    return trained(made, library.trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet))


def like_neox() -> Any:
    made = like_smollm()
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.normalizer = library.normalizers.NFC()
    made.add_tokens(["  ", "<mine>"])
    return made


def like_llama3() -> Any:
    made = like_smollm()
    parts = library.pre_tokenizers
    split = parts.Split(library.Regex(r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"), "isolated")
    made.pre_tokenizer = parts.Sequence([split, parts.ByteLevel(add_prefix_space=False, use_regex=False)])
    return with_beginning(made, "<|endoftext|>")


def like_llama() -> Any:
    made = library.Tokenizer(library.models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    made.normalizer = library.normalizers.Sequence(
        [library.normalizers.Prepend("▁"), library.normalizers.Replace(" ", "▁")]
    )
    steps = library.decoders
    made.decoder = steps.Sequence([steps.Replace("▁", " "), steps.ByteFallback(), steps.Fuse(), steps.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"]
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    trained(made, library.trainers.BpeTrainer(vocab_size=340, special_tokens=[*special, *fallback]))
    stored = json.loads(made.to_str())  # bytes are pieces of the model, and no tokens of their own
    stored["added_tokens"] = stored["added_tokens"][: len(special)]
    return with_beginning(library.Tokenizer.from_str(json.dumps(stored)), "<s>")


def like_t5() -> Any:
    made = library.Tokenizer(library.models.Unigram())
    made.pre_tokenizer, made.decoder = library.pre_tokenizers.Metaspace(), library.decoders.Metaspace()
    return trained(made, library.trainers.UnigramTrainer(vocab_size=60, special_tokens=["<unk>"], unk_token="<unk>"))


def with_beginning(made: Any, mark: str) -> Any:
    made.post_processor = library.processors.TemplateProcessing(
        single=f"{mark} $A", special_tokens=[(mark, made.token_to_id(mark))]
    )
    return made


KINDS: dict[str, Callable[[], Any]] = {
    kind.__name__: kind for kind in (like_smollm, like_neox, like_llama3, like_llama, like_t5)
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_ids_are_the_librarys_and_the_bytes_its_text(kind: str, tmp_path: Path) -> None:
    made = KINDS[kind]()
    made.enable_truncation(5)
    made.save(str(tmp_path / "tokenizer.json"))
    made.no_truncation()
    tokenizer = read_tokenizer_json(tmp_path / "tokenizer.json", 0)
    assert isinstance(tokenizer, HuggingFaceTokenizer)
    text = "".join(character for character in TEXT if character not in tokenizer.unknown_in(TEXT))
    assert len(text) > 40
    assert kind == "like_t5" or text == TEXT
    ids = tokenizer.encode(text)
    assert ids == made.encode(text).ids
    shown = b"".join(tokenizer.bytes_of(id) for id in ids).decode("utf-8")
    blank = " " if kind in ("like_llama", "like_t5") else ""  # sentencepiece's, before every text
    assert shown == blank + text
    assert shown.removeprefix(blank) == made.decode(ids)
    assert tokenizer.encode("") == made.encode("").ids
    marked = f"a{made.id_to_token(1)}b" if kind != "like_t5" else "a"
    assert tokenizer.encode(marked) == made.encode(marked).ids


def test_gpt2s_own_form_stays_one_of_vocabulary_and_merges(tmp_path: Path) -> None:
    made = like_smollm()
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save(str(tmp_path / "tokenizer.json"))
    tokenizer = read_tokenizer_json(tmp_path / "tokenizer.json", 0)
    assert isinstance(tokenizer, BPETokenizer)
    assert tokenizer.encode(TEXT) == made.encode(TEXT).ids


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("tokenizer_config.json", {"eos_token": "<|im_start|>"}),
        ("tokenizer_config.json", {"eos_token": {"content": "<|im_start|>"}}),
        ("config.json", {"eos_token_id": [1, 7]}),
    ],
)
def test_the_end_of_a_text_is_said_beside_it(name: str, entries: dict[str, Any], tmp_path: Path) -> None:
    like_llama3().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / name).write_text(json.dumps(entries), encoding="utf-8")
    tokenizer = read_tokenizer_json(tmp_path / "tokenizer.json", 0)
    assert tokenizer is not None
    assert tokenizer.end_of_text == 1


@pytest.mark.parametrize(
    "entries",
    [
        {"model": {"type": "WordPiece", "vocab": {"a": 0}}},
        {"model": {"type": "BPE", "vocab": {"a": 0}}, "decoder": None, "pre_tokenizer": None},
        {"model": {"type": "BPE", "vocab": {"a": 1 << 40}}},
        {"model": {"type": "BPE", "vocab": {"a": "0"}}},
        {"model": {"type": "BPE", "vocab": 3}},
        {"added_tokens": [{"id": -1, "content": "x"}]},
        {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
    ],
    ids=str,
)
def test_what_is_no_tokenizer_is_refused(entries: dict[str, Any], tmp_path: Path) -> None:
    stored = json.loads(like_llama().to_str()) | entries
    (tmp_path / "tokenizer.json").write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(CheckpointError):
        read_tokenizer_json(tmp_path / "tokenizer.json", 0).encode(TEXT)  # type: ignore[union-attr]


def test_a_unigram_without_an_id_for_what_it_does_not_know_leaves_that_out(tmp_path: Path) -> None:
    stored = json.loads(like_t5().to_str())
    stored["model"]["unk_id"] = None
    (tmp_path / "tokenizer.json").write_text(json.dumps(stored), encoding="utf-8")
    tokenizer = read_tokenizer_json(tmp_path / "tokenizer.json", 0)
    assert tokenizer is not None
    assert tokenizer.unknown_in("the 🦊") == "🦊"
    assert tokenizer.encode("the 🦊") == tokenizer.encode("the ")
