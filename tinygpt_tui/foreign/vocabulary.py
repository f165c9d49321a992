"""Which text an id stands for, as other programs write it down; the file itself says it, or a file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.foreign.characters import SHAKESPEARE
from tinygpt_tui.foreign.facts import Fact, FactSource
from tinygpt_tui.foreign.readers.sentencepiece import read_tokenizer_bin, read_tokenizer_model
from tinygpt_tui.foreign.readers.tokenizer_json import read_tokenizer_json
from tinygpt_tui.foreign.sidecars import read_json, read_pickled_dict, read_text, sidecar
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import END_OF_TEXT, BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.numbers import NumberTokenizer
from tinygpt_tui.tokenizers.padded import PaddedTokenizer


def find_vocabulary(source: Source, size: int, default: str = "", files: str = "") -> tuple[Tokenizer, Fact]:
    """Return the tokenizer of a model of `size` ids, and how it is known.

    `usual` are its layout's usual characters; `kept_in` names the files in which its program keeps a vocabulary.

    Raises CheckpointError where a file says it and is damaged, or is of another model.
    """
    of_this_size = {f"tok{size}.model": read_tokenizer_model, f"tok{size}.bin": read_tokenizer_bin}
    for name, read in (_FILES | of_this_size).items():
        path = source.sidecar(name)
        if path is None:
            continue
        tokenizer = read(path, size)
        if tokenizer is not None:
            return fitted(tokenizer, size, path.name), _fact(tokenizer, "sidecar", path.name)
    inside = _characters_in(source.extras)
    if inside is not None and len(inside) == size:
        tokenizer = CharTokenizer(inside)
        return tokenizer, _fact(tokenizer, "file", "characters kept with the weights")
    if default and len(default) == size:
        tokenizer = CharTokenizer(default)
        return tokenizer, _fact(tokenizer, "convention", "what its program makes of tiny Shakespeare")
    if size == len(SHAKESPEARE):
        tokenizer = CharTokenizer(SHAKESPEARE)
        return tokenizer, _fact(tokenizer, "convention", "65 characters: tiny Shakespeare's")
    if size == ByteTokenizer.size:
        return ByteTokenizer(), _fact(ByteTokenizer(), "convention", "256 ids: bytes")
    unknown = NumberTokenizer(size)
    way_out = f"put its {files} beside it, or name it" if files else "name a file"
    detail = f"nothing tells what its {size:,} ids mean; {way_out}: --vocabulary FILE"
    doubt = f"its {size:,} ids are shown as numbers: no file says what they mean"
    return unknown, Fact(name="vocabulary", value="unknown", source="guess", detail=detail, doubt=doubt)


def vocabulary_from(path: Path, size: int) -> Tokenizer:
    """Return the tokenizer of `read_vocabulary` for a model of `size` ids.

    Raises CheckpointError where it does not fit, StorageError.
    """
    tokenizer = read_vocabulary(path, size)
    return fitted(tokenizer, size, path.name)


def read_vocabulary(path: Path, size: int = 0) -> Tokenizer:
    """Return the tokenizer that a file of the user's describes: one of the known ones, or a text with the characters.

    A folder's is that of a known file in it; `size` is the number of the model's ids, where there is one. Raises
    CheckpointError where there is none, StorageError.
    """
    if is_folder(path):
        for name in _FILES:
            if is_file(path / name):
                return read_vocabulary(path / name, size)
        raise CheckpointError(f"{path} holds no vocabulary", f"known are {', '.join(_FILES)}")
    if path.name in _FILES:
        tokenizer = _FILES[path.name](path, size)
    elif path.suffix == ".pkl":
        tokenizer = _from_meta(path, size)
    elif path.suffix == ".model":
        tokenizer = read_tokenizer_model(path, size)
    elif path.suffix == ".bin":
        tokenizer = read_tokenizer_bin(path, size)
    elif path.suffix == ".json":
        tokenizer = read_tokenizer_json(path, size)
    else:
        tokenizer = _from_characters(path, size)
    if tokenizer is None:
        raise CheckpointError(f"{path.name} describes no vocabulary", f"known are {', '.join(_FILES)}")
    return tokenizer


def check_stored_tokenizer(tokenizer: Tokenizer, size: int, name: str) -> tuple[Tokenizer, Fact]:
    """Return the tokenizer that the weights' own file holds, of exactly `size` ids. Raises CheckpointError."""
    return fitted(tokenizer, size, name), _fact(tokenizer, "file", "kept with the weights")


def fitted(tokenizer: Tokenizer, size: int, name: str) -> Tokenizer:
    """Return a tokenizer of exactly `size` ids. Raises CheckpointError where it has more."""
    if tokenizer.size > size:
        raise CheckpointError(
            f"{name} has {tokenizer.size:,} tokens, the model {size:,}", "the files are of different models"
        )
    return tokenizer if tokenizer.size == size else PaddedTokenizer(tokenizer, size)


def _fact(tokenizer: Tokenizer, source: FactSource, detail: str) -> Fact:
    words = {"char": "characters", "byte": "bytes", "pieces": "pieces"}.get(tokenizer.name, "tokens")
    return Fact(name="vocabulary", value=f"{tokenizer.size:,} {words}", source=source, detail=detail)


def _from_vocab_json(path: Path, size: int) -> Tokenizer | None:
    """Read GPT-2's vocab.json, with merges.txt beside it."""
    merges = sidecar(path.parent, "merges.txt")
    if merges is None:
        return None
    lines = [line for line in read_text(merges).split("\n") if line.strip() and not line.startswith("#version")]
    return BPETokenizer.from_dict(
        {"vocabulary": read_json(path), "merges": [line.rstrip("\r") for line in lines], "special": [END_OF_TEXT]}
    )


def _from_characters(path: Path, size: int) -> Tokenizer:
    """Read a text that has every character of the vocabulary: TinyGPT puts line ends between them.

    So a line end may be one of them or not: the model's size tells.
    """
    characters = "".join(sorted(set(read_text(path))))
    if len(characters) == size + 1 and "\n" in characters:
        characters = characters.replace("\n", "")
    return CharTokenizer(characters)


def _from_meta(path: Path, size: int) -> Tokenizer | None:
    """Read nanoGPT's meta.pkl; nothing in it is run."""
    characters = _characters_in(read_pickled_dict(path))
    return None if characters is None else CharTokenizer(characters)


def _characters_in(stored: Mapping[Any, Any]) -> str | None:
    """Return the characters that a dict tells in any of the usual ways, in the order of their ids."""
    itos, stoi = stored.get("itos"), stored.get("stoi")
    if isinstance(itos, dict):
        pairs = list(itos.items())
    elif isinstance(stoi, dict):
        pairs = [(id, character) for character, id in stoi.items()]
    else:
        row = itos if isinstance(itos, list | tuple | str) else stored.get("chars", stored.get("characters"))
        if not isinstance(row, list | tuple | str):
            return None
        pairs = list(enumerate(row))
    by_id = {id: character for id, character in pairs if type(id) is int and 0 <= id < len(pairs)}
    if not by_id or len(by_id) != len(pairs) or by_id.keys() != set(range(len(by_id))):
        raise CheckpointError("the vocabulary's ids are not 0, 1, 2 …", "the file is damaged")
    if not all(isinstance(character, str) and len(character) == 1 for character in by_id.values()):
        raise CheckpointError(
            "the vocabulary is not one of single characters", "only those and byte-level BPE are read"
        )
    return "".join(by_id[id] for id in range(len(by_id)))


_FILES = {
    "tokenizer.json": read_tokenizer_json,
    "vocab.json": _from_vocab_json,
    "chars.txt": _from_characters,
    "meta.pkl": _from_meta,
    "tokenizer.model": read_tokenizer_model,
    "tokenizer.bin": read_tokenizer_bin,
}
