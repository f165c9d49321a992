"""Vocabularies where people leave them, in all forms; guesses that the loss must confirm; and what explains a loss."""

from __future__ import annotations

import argparse
import json
import pickle
import types
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_programs import NanoGPT, made

from tinygpt_tui.checkpoints.library import doubts_of
from tinygpt_tui.checkpoints.stored import read_model
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.foreign.opening import Overrides, inspect_checkpoint
from tinygpt_tui.tokenizers.base import Tokenizer

# Not in their sorted order, so that a reader that sorts them is found out; with all that breaks lines.
CHARS = list("hello wrd!\nABC,xyzq3\t\"'é&\\-:?TNS")
CHARS = list(dict.fromkeys(CHARS))
V = len(CHARS)
STOI = {character: id for id, character in enumerate(CHARS)}
ITOS = dict(enumerate(CHARS))
TEXTS = {str(id): character for id, character in enumerate(CHARS)}
NAMES = {"\n": "\\n", "\t": "<tab>"}
PROMPT = 'hello\t"é"\n'


class CharTokenizer:
    """A stranger's tokenizer, as people pickle it."""

    def __init__(self) -> None:
        self.chars, self.stoi, self.vocab_size = CHARS, STOI, V
        self.itos = ITOS


class Slotted:
    """One with slots."""

    __slots__ = ("char2id", "size")

    def __init__(self) -> None:
        self.char2id, self.size = STOI, V


INSIDE: dict[str, dict[str, Any]] = {
    "chars, a list": {"chars": CHARS},
    "chars, a text": {"chars": "".join(CHARS)},
    "chars, a tuple": {"chars": tuple(CHARS)},
    "chars of numpy": {"chars": np.array(CHARS)},
    "stoi": {"stoi": STOI},
    "itos": {"itos": ITOS},
    "itos, a list": {"itos": CHARS},
    "itos of JSON": {"itos": TEXTS},
    "both, of JSON": {"stoi": STOI, "itos": TEXTS},
    "a broken itos beside a good stoi": {"itos": {"0": "h", "x": 3}, "stoi": STOI},
    "char_to_idx": {"char_to_idx": STOI, "idx_to_char": ITOS},
    "char2idx": {"char2idx": STOI},
    "idx2char, an array": {"idx2char": np.array(CHARS)},
    "ids of numpy": {"char_to_ix": {character: np.int64(id) for character, id in STOI.items()}},
    "vocab, a table": {"vocab": STOI},
    "vocab, a list": {"vocab": CHARS, "vocab_size": V},
    "tokens": {"tokens": CHARS},
    "all_characters": {"all_characters": "".join(CHARS)},
    "a vocabulary in a vocabulary": {"vocab": {"stoi": STOI, "itos": ITOS}},
    "in the settings": {"config": {"n_layer": 2, "chars": CHARS}},
    "in a tokenizer's dict": {"tokenizer": {"type": "char", "char_to_id": STOI}},
    "in arguments": {"args": argparse.Namespace(vocab=CHARS, lr=0.1)},
    "in a namespace": {"hparams": types.SimpleNamespace(itos=ITOS)},
    "a tokenizer": {"tokenizer": CharTokenizer()},
    "a tokenizer with slots": {"tokenizer": Slotted()},
    "a table of its own kind": {"stoi": defaultdict(int, STOI)},
    "pairs": {"vocab": list(STOI.items())},
    "a strange name": {"zeichen": CHARS},
    "texts of numpy in a list": {"chars": list(np.array(CHARS))},
    "bytes": {"vocab": "".join(CHARS).encode("latin-1")},
    "a text of JSON": {"vocab": json.dumps(STOI)},
    "objects in objects": {"data": types.SimpleNamespace(tok=types.SimpleNamespace(vocab={"stoi": STOI}))},
    "encoder and decoder": {"encoder": STOI, "decoder": ITOS},
}


def weights(size: int = V) -> dict[str, Any]:
    return {"model": made(NanoGPT(V=size, C=8, T=8, H=2, L=1)).state_dict()}


def knows(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(PROMPT) == [STOI[character] for character in PROMPT]
    assert b"".join(map(tokenizer.bytes_of, range(V))).decode() == "".join(CHARS)


@pytest.mark.parametrize("extras", INSIDE.values(), ids=INSIDE.keys())
def test_a_vocabulary_inside_the_file(extras: dict[str, Any], tmp_path: Path) -> None:
    torch.save(weights() | extras, tmp_path / "ckpt.pt")
    inspection = inspect_checkpoint(tmp_path / "ckpt.pt")
    knows(inspection.tokenizer)
    assert next(fact for fact in inspection.facts if fact.name == "vocabulary").source == "file"


@pytest.mark.parametrize("flat", [True, False], ids=["among the tensors", "a second thing"])
def test_a_vocabulary_beside_the_tensors(flat: bool, tmp_path: Path) -> None:
    state = weights()["model"]
    torch.save({**state, "chars": CHARS} if flat else (state, {"stoi": STOI}), tmp_path / "ckpt.pt")
    knows(inspect_checkpoint(tmp_path / "ckpt.pt").tokenizer)


def test_a_vocabulary_in_the_header_of_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = weights()["model"]
    state.pop("lm_head.weight")
    save_file(state, tmp_path / "model.safetensors", {"stoi": json.dumps(STOI)})
    knows(inspect_checkpoint(tmp_path).tokenizer)


def write_json(content: Any) -> Callable[[Path], Any]:
    return lambda path: path.write_text(json.dumps(content), encoding="utf-8")


def write_pickle(content: Any) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(pickle.dumps(content))


def write_text(content: str) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content.encode())


BESIDE: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "vocab.json, character to id": ("vocab.json", write_json(STOI)),
    "vocab.json, id to character": ("vocab.json", write_json(TEXTS)),
    "vocab.json, a list": ("vocab.json", write_json(CHARS)),
    "chars.json": ("chars.json", write_json("".join(CHARS))),
    "meta.json": ("meta.json", write_json({"vocab_size": V, "itos": TEXTS, "stoi": STOI})),
    "tokenizer.json, a stranger's": ("tokenizer.json", write_json({"char_to_idx": STOI})),
    "tokenizer_config.json": ("tokenizer_config.json", write_json({"type": "char", "vocab": CHARS})),
    "char_to_idx.json": ("char_to_idx.json", write_json(STOI)),
    "config.json": ("config.json", write_json({"n_layer": 1, "chars": CHARS})),
    "of the model's name": ("ckpt_vocab.json", write_json({"chars": CHARS})),
    "vocab.txt, a line each": ("vocab.txt", write_text("".join(f"{character}\n" for character in CHARS))),
    "vocab.txt, lines of JSON": ("vocab.txt", write_text("".join(f"{json.dumps(c)}\n" for c in CHARS))),
    "tokenizer.json, words of one character": (
        "tokenizer.json",
        write_json({"version": "1.0", "model": {"type": "WordLevel", "vocab": STOI}, "added_tokens": []}),
    ),
    "vocab.txt, the line end by name": ("vocab.txt", write_text("\n".join(CHARS).replace("\n\n\n", "\n\\n\n"))),
    "vocab.txt, with ids": ("vocab.txt", write_text("".join(f"{NAMES.get(c, c)}\t{id}\n" for c, id in STOI.items()))),
    "chars.txt, in a row": ("chars.txt", write_text("".join(CHARS))),
    "vocab.pkl, a table": ("vocab.pkl", write_pickle(STOI)),
    "vocab.pkl, a list": ("vocab.pkl", write_pickle(CHARS)),
    "meta.pkl": ("meta.pkl", write_pickle({"itos": ITOS, "stoi": STOI})),
    "tokenizer.pkl": ("tokenizer.pkl", write_pickle(CharTokenizer())),
    "stoi.pkl": ("stoi.pkl", write_pickle(STOI)),
    "vocab.pt": ("vocab.pt", lambda path: torch.save({"stoi": STOI, "itos": ITOS}, path)),
    "tokenizer.pth": ("tokenizer.pth", lambda path: torch.save(CharTokenizer(), path)),
}  # fmt: skip


@pytest.mark.parametrize(("name", "write"), BESIDE.values(), ids=BESIDE.keys())
def test_a_vocabulary_beside_the_weights(name: str, write: Callable[[Path], Any], tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "ckpt.pt")
    write(tmp_path / name)
    for given in (tmp_path, tmp_path / "ckpt.pt"):
        knows(inspect_checkpoint(given).tokenizer)
    other = tmp_path / "elsewhere" / name  # named by the user, the same
    other.parent.mkdir()
    (tmp_path / name).rename(other)
    knows(inspect_checkpoint(tmp_path / "ckpt.pt", Overrides(vocabulary=other)).tokenizer)


@pytest.mark.parametrize("dataset", ["mydata", "../mydata", "/mydata"])
def test_nanogpts_own_tree(dataset: str, tmp_path: Path) -> None:
    data = tmp_path / "nanoGPT" / ("data" if dataset == "mydata" else "") / "mydata"
    data.mkdir(parents=True)
    (tmp_path / "nanoGPT" / "data").mkdir(exist_ok=True)
    (data / "meta.pkl").write_bytes(pickle.dumps({"itos": ITOS, "stoi": STOI}))
    (tmp_path / "nanoGPT" / "out").mkdir()
    torch.save(weights() | {"config": {"dataset": dataset}}, tmp_path / "nanoGPT" / "out" / "ckpt.pt")
    inspection = inspect_checkpoint(tmp_path / "nanoGPT" / "out" / "ckpt.pt")
    if dataset != "mydata":  # a name is a name, and no path
        assert inspection.tokenizer.name == "numbers"
        return
    knows(inspection.tokenizer)
    fact = next(fact for fact in inspection.facts if fact.name == "vocabulary")
    assert Path(fact.detail) == Path("../data/mydata/meta.pkl")


MARKS: dict[str, Any] = {
    "padding first": {"stoi": {"<pad>": 0, **{character: id + 1 for character, id in STOI.items()}}},
    "marks behind": {"vocab": [*CHARS, "<EOS>", "[UNK]"]},
    "an id left out": {"itos": {id + 1: character for id, character in ITOS.items()}},
}


@pytest.mark.parametrize("extras", MARKS.values(), ids=MARKS.keys())
def test_marks_are_ids_that_write_nothing(extras: dict[str, Any], tmp_path: Path) -> None:
    size = V + 2 if "vocab" in extras else V + 1
    torch.save(weights(size) | extras, tmp_path / "ckpt.pt")
    tokenizer = inspect_checkpoint(tmp_path / "ckpt.pt").tokenizer
    assert tokenizer.size == size
    ids = tokenizer.encode(PROMPT)
    assert b"".join(map(tokenizer.bytes_of, ids)).decode() == PROMPT
    assert b"".join(map(tokenizer.bytes_of, range(size))).decode() == "".join(CHARS)


@pytest.mark.parametrize(
    "extras",
    [{"itos": {0: "a", 5: 3}}, {"chars": ["a", "a"]}, {"stoi": "?"}, {"vocab": ["the"] * V}, {"chars": set(CHARS)}],
)
def test_a_broken_table_refuses_no_file(extras: dict[str, Any], tmp_path: Path) -> None:
    torch.save(weights() | extras, tmp_path / "ckpt.pt")
    assert inspect_checkpoint(tmp_path / "ckpt.pt").tokenizer.name == "numbers"


def test_a_vocabulary_of_words_and_one_that_is_damaged_are_named(tmp_path: Path) -> None:
    torch.save(weights() | {"stoi": {f"word{id}": id for id in range(V)}}, tmp_path / "ckpt.pt")
    assert "words" in doubts(inspect_checkpoint(tmp_path).facts)
    torch.save(weights(), tmp_path / "ckpt.pt")
    (tmp_path / "stoi.pkl").write_bytes(b"\x80\x04no")
    assert "stoi.pkl" in doubts(inspect_checkpoint(tmp_path).facts)


def test_a_file_without_a_vocabulary_is_refused_as_one(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "ckpt.pt")
    (tmp_path / "other.json").write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"other\.json describes no vocabulary of"):
        inspect_checkpoint(tmp_path, Overrides(vocabulary=tmp_path / "other.json"))


def test_an_untrained_model_is_said_to_be_untrained(tmp_path: Path) -> None:
    for size in (65, 41):  # with letters that could be tried, and without
        state = {name: 0.02 * torch.randn(tensor.shape) for name, tensor in weights(size)["model"].items()}
        torch.save({"model": state}, tmp_path / "ckpt.pt")
        stored = read_model(tmp_path / "ckpt.pt")
        assert stored.tokenizer.name == "numbers"
        assert "untrained" in doubts(stored.facts)
        assert "wrong vocabulary" not in doubts(stored.facts)


POEM = "".join(chr(97 + (place * place + place // 7) % 23) + " " * (place % 5 == 0) for place in range(90)) + ".\n"


@pytest.fixture(scope="module")
def memorised() -> dict[str, Any]:
    """Return a nanoGPT that knows one small text and nothing else, in the sorted order of its characters."""
    characters = sorted(set(POEM * 2))
    ids = torch.tensor([characters.index(character) for character in POEM * 6])
    model = NanoGPT(V=len(characters), C=32, T=16, H=2, L=1)
    torch.manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    windows = ids[: len(ids) // 16 * 16].unfold(0, 17, 3)
    for _ in range(150):
        logits = model(windows[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"model": model.state_dict(), "model_args": model.arguments}


def test_a_text_beside_the_weights_is_its_vocabulary_where_the_loss_confirms_it(
    memorised: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(memorised, tmp_path / "ckpt.pt")
    (tmp_path / "poem.txt").write_text(POEM * 6, encoding="utf-8")
    stored = read_model(tmp_path / "ckpt.pt", cached=True)
    facts = {fact.name: fact for fact in stored.facts}
    assert (facts["vocabulary"].source, facts["vocabulary"].detail) == ("calibrated", "those of poem.txt")
    assert stored.tokenizer.bytes_of(0) == b"\n"
    assert (
        doubts(stored.facts)
        == doubts_of(tmp_path / "ckpt.pt")
        in ("", "not known, but nearly the same either way: gelu")
    )
    other = "".join(chr(ord(character) + 32 * 40) for character in POEM * 6)  # as many other letters
    (tmp_path / "poem.txt").write_text(other[::-1], encoding="utf-8")
    assert read_model(tmp_path / "ckpt.pt").tokenizer.name == "numbers"


# What the text beside it is, where it is, and the characters of ids 0, 1, 2 ... that are then possible.
LINES = "The cat\nand a dog\n" * 10
TEXTS_BESIDE: dict[str, tuple[str, str, str]] = {
    "all characters": ("input.txt", LINES, "\n Tacdeghnot"),
    "a mark before": ("names.txt", LINES, "\0\n Tacdeghnot"),
    "no line ends": ("data/input.txt", LINES, " Tacdeghnot"),
    "lower case": ("../corpus.txt", LINES, "\n acdeghnot"),
    "in a folder of data": ("../data/cats/input.txt", LINES, "\n Tacdeghnot"),
    "not UTF-8": ("input.txt", LINES + "\xe9" * 20, "\n Tacdeghnot\xe9"),
}


@pytest.mark.parametrize(("name", "text", "characters"), TEXTS_BESIDE.values(), ids=TEXTS_BESIDE.keys())
def test_a_text_makes_a_vocabulary_possible(name: str, text: str, characters: str, tmp_path: Path) -> None:
    place = tmp_path / "repository" / "out"
    place.mkdir(parents=True)
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(text.encode("latin-1"))
    torch.save(weights(len(characters)), place / "ckpt.pt")
    inspection = inspect_checkpoint(place / "ckpt.pt")
    assert inspection.tokenizer.name == "numbers"  # until the loss confirms it
    found = [b"".join(map(one.tokenizer.bytes_of, range(len(characters)))).decode() for one in inspection.possible]
    assert characters.replace("\0", "") in found
    if "\0" in characters:
        assert any(one.tokenizer.encode("\n") == [1] for one in inspection.possible)


def test_a_model_that_knows_one_text_has_no_wrong_vocabulary(memorised: dict[str, Any], tmp_path: Path) -> None:
    characters = sorted(set(POEM))
    torch.save(memorised | {"chars": characters}, tmp_path / "ckpt.pt")
    (tmp_path / "other.txt").write_text(POEM[::-1] * 6, encoding="utf-8")
    stored = read_model(tmp_path / "ckpt.pt")
    loss = next(fact for fact in stored.facts if fact.name == "loss")
    assert "a small text memorised" in loss.value
    assert "wrong vocabulary" not in loss.value
    assert "memorised" in doubts(stored.facts)
