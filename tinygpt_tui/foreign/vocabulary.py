"""Which text an id stands for, as other programs write it down; the file itself says it, or a file beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygpt_tui.errors import CheckpointError, StorageError
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.foreign.characters import USUAL, characters_of
from tinygpt_tui.foreign.facts import Fact, FactSource
from tinygpt_tui.foreign.readers.sentencepiece import read_tokenizer_bin, read_tokenizer_model
from tinygpt_tui.foreign.readers.tokenizer_json import read_tokenizer_json
from tinygpt_tui.foreign.sidecars import PICKLED, read_stored, read_text, sidecar
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.foreign.symbols import is_of_words, size_of, symbols_of_text, tokenizer_of, vocabulary_in
from tinygpt_tui.foreign.vocabulary_places import KNOWN, files_beside, files_elsewhere, texts_beside
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import END_OF_TEXT, BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.numbers import NumberTokenizer
from tinygpt_tui.tokenizers.padded import PaddedTokenizer
from tinygpt_tui.tokenizers.table import TOKENIZERS

GPT2_SIZES = (50257, 50304)  # exact, and rounded as nanoGPT does
MOST_MARKS, FEWEST_CHARACTERS, MOST_CHARACTERS = 4, 10, 20_000
_IN_ORDER = re.compile("vocab|token", re.IGNORECASE)


class OtherModelError(CheckpointError):
    """A vocabulary has more tokens than the model."""


@dataclass(frozen=True)
class Possible:
    """A vocabulary that nothing tells, but that the loss on a text may confirm; `text` is the one it is made of.

    `lower` says that it is made of the text in lower case.
    """

    tokenizer: Tokenizer
    named: str
    text: Path | None = None
    lower: bool = False


def find_vocabulary(
    source: Source, size: int, default: str = "", files: str = ""
) -> tuple[Tokenizer, Fact, tuple[Possible, ...]]:
    """Return the tokenizer of a model of `size` ids, how it is known, and which ones it may be if nothing tells.

    `default` are its layout's usual characters; `files` names the files in which its program keeps a vocabulary. A
    file that cannot be read, or is of another model, is passed over, and named if there is no other. Raises
    CheckpointError for one of a known name that is damaged.
    """
    inside = [source.extras, source.module.get(""), dict(source.metadata)]
    found = vocabulary_in(inside, size, exact=True)
    if found is not None:
        return found, _fact(found, "file", "stored with the weights"), ()
    problems: list[str] = []
    of_this_size = [path for name in (f"tok{size}.model", f"tok{size}.bin") if (path := source.sidecar(name))]
    for path in (*files_beside(source), *of_this_size):
        found = _read_or_note(path, size, problems)
        if found is not None:
            return found, _fact(found, "sidecar", path.name), ()
    for path in files_elsewhere(source):
        found = _read_or_note(path, size, problems)
        if found is not None and not isinstance(found, PaddedTokenizer):
            return found, _fact(found, "sidecar", _short(path, source.folder)), ()
    found = vocabulary_in(inside, size)
    if found is not None:
        return found, _fact(found, "file", "stored with the weights"), ()
    if size == ByteTokenizer.size:
        return ByteTokenizer(), _fact(ByteTokenizer(), "convention", "256 ids: bytes"), ()
    if is_of_words(inside, size):
        problems.append("the words that are stored with the weights are not read")
    return NumberTokenizer(size), _unknown(size, files, problems), tuple(_possible(source, size, default))


def _unknown(size: int, files: str, problems: Sequence[str]) -> Fact:
    way_out = f"put its {files} beside it, or name it" if files else "name a file"
    if size in GPT2_SIZES:
        way_out = "if they are GPT-2's, put its vocab.json and merges.txt beside it, or name one"
    detail = f"nothing tells what its {size:,} ids mean; {way_out}: --vocabulary FILE"
    doubt = f"its {size:,} ids are shown as numbers: no file says what they mean"
    if problems:
        detail, doubt = f"{problems[0]}; {detail}", f"{doubt} ({problems[0]})"
    return Fact(name="vocabulary", value="unknown", source="guess", detail=detail, doubt=doubt)


def _possible(source: Source, size: int, default: str) -> Iterator[Possible]:
    """Yield the vocabularies that a model of this size may have: of the texts near it, and the common ones."""
    for path in texts_beside(source) if size <= MOST_CHARACTERS else ():
        characters, named = characters_of(path), _short(path, source.folder)
        for tokenizer in _of_text(characters, size):
            yield Possible(tokenizer, named, path)
        lower = "".join(sorted(set(characters.lower())))
        if lower != characters:
            for tokenizer in _of_text(lower, size):
                yield Possible(tokenizer, f"{named} in lower case", path, lower=True)
    common = {"its program's common characters": default, **USUAL}
    for named, characters in common.items():
        if len(characters) == size:
            yield Possible(CharTokenizer(characters), named)


def _of_text(characters: str, size: int) -> Iterator[Tokenizer]:
    """Yield the tokenizers of a text's characters, with its line ends and without, and of a few marks beside them."""
    for found in (characters, characters.replace("\n", "")):
        if not size - MOST_MARKS <= len(found) <= size or len(found) < FEWEST_CHARACTERS:
            continue
        tokenizer = CharTokenizer(found)
        yield tokenizer if len(found) == size else PaddedTokenizer(tokenizer, size)
        before = tokenizer_of(dict(enumerate(found, 1)), size) if len(found) == size - 1 else None
        if before is not None:
            yield before
        if len(found) == size:
            return


def _read_or_note(path: Path, size: int, problems: list[str]) -> Tokenizer | None:
    """Return the tokenizer in a file; None where there is none for this size, with a note of what is wrong.

    Raises CheckpointError for a damaged file of a known name, StorageError.
    """
    try:
        return _read(path, size)
    except (CheckpointError, StorageError) as error:
        if path.name in KNOWN and not isinstance(error, OtherModelError):
            raise
        problems.append(error.message)
        return None


def _read(path: Path, size: int) -> Tokenizer | None:
    """Return the tokenizer of a model of `size` ids (0: any) that a file describes; None where it describes none.

    Raises CheckpointError where it is damaged, or of another size, StorageError.
    """
    tokenizer: Tokenizer | None
    if path.suffix == ".model":
        tokenizer = read_tokenizer_model(path, size)
    elif path.suffix == ".bin":
        tokenizer = read_tokenizer_bin(path, size)
    elif path.suffix in (".json", *PICKLED, ".pt", ".pth"):
        stored = read_stored(path)
        tokenizer = _of_program(path, stored, size) if isinstance(stored, dict) else None
        if tokenizer is None:
            found = vocabulary_in(stored, size)
            if found is None:
                _check_count(path, size_of(stored), size)
            return found
    else:
        text = read_text(path)
        found = symbols_of_text(text, size, in_order=bool(_IN_ORDER.search(path.stem)))
        if found is None:
            _check_count(path, len(set(text)), size)
        return found
    return tokenizer if tokenizer is None or not size else fitted(tokenizer, size, path.name)


def _check_count(path: Path, count: int, size: int) -> None:
    """Raise OtherModelError where a file has more tokens than the model."""
    if count > size > 0:
        raise OtherModelError(
            f"{path.name} has {count:,} tokens, the model {size:,}", "the files are of different models"
        )


def vocabulary_from(path: Path, size: int) -> Tokenizer:
    """Return the tokenizer of `read_vocabulary` for a model of `size` ids.

    Raises CheckpointError where it does not fit, StorageError.
    """
    return fitted(read_vocabulary(path, size), size, path.name)


def read_vocabulary(path: Path, size: int = 0) -> Tokenizer:
    """Return the tokenizer that a file of the user's describes: a table in any form, or a text with the characters.

    A folder's is that of a known file in it; `size` is the number of the model's ids, where there is one. Raises
    CheckpointError where there is none, StorageError.
    """
    if is_folder(path):
        for name in KNOWN:
            if is_file(path / name):
                return read_vocabulary(path / name, size)
        raise CheckpointError(f"{path} holds no vocabulary", f"known are {', '.join(KNOWN)}")
    tokenizer = _read(path, size)
    if tokenizer is None:
        of_size = f" of {size:,} characters or tokens" if size else ""
        raise CheckpointError(
            f"{path.name} describes no vocabulary{of_size}",
            f"known are {', '.join(KNOWN)}, a table of characters as .json, .pkl, .pt or .txt, or the text itself",
        )
    return tokenizer


def check_stored_tokenizer(tokenizer: Tokenizer, size: int, name: str) -> tuple[Tokenizer, Fact]:
    """Return the tokenizer that the weights' own file holds, of exactly `size` ids. Raises CheckpointError."""
    return fitted(tokenizer, size, name), _fact(tokenizer, "file", "kept with the weights")


def fitted(tokenizer: Tokenizer, size: int, name: str) -> Tokenizer:
    """Return a tokenizer of exactly `size` ids. Raises CheckpointError where it has more."""
    _check_count(Path(name), tokenizer.size, size)
    return tokenizer if tokenizer.size == size else PaddedTokenizer(tokenizer, size)


def _fact(tokenizer: Tokenizer, source: FactSource, detail: str) -> Fact:
    words = {"char": "characters", "byte": "bytes", "pieces": "pieces"}.get(tokenizer.name, "tokens")
    return Fact(name="vocabulary", value=f"{tokenizer.size:,} {words}", source=source, detail=detail)


def _of_program(path: Path, stored: dict[str, Any], size: int) -> Tokenizer | None:
    """Read our own tokenizer.json, Hugging Face's, or GPT-2's vocab.json with merges; None for anything else."""
    if path.name == "vocab.json":
        return _with_merges(path, stored)
    ours = "model" not in stored and isinstance(stored.get("name"), str) and stored["name"] in TOKENIZERS
    theirs = isinstance(stored.get("model"), dict) and (path.name == "tokenizer.json" or "added_tokens" in stored)
    if theirs and stored["model"].get("type") == "WordLevel":
        return vocabulary_in({"vocab": stored["model"].get("vocab")}, size) or read_tokenizer_json(path, size)
    return read_tokenizer_json(path, size) if ours or theirs else None


def _with_merges(path: Path, vocabulary: dict[str, Any]) -> Tokenizer | None:
    """Read GPT-2's vocab.json, with merges.txt beside it."""
    merges = sidecar(path.parent, "merges.txt")
    if merges is None:
        return None
    lines = [line for line in read_text(merges).split("\n") if line.strip() and not line.startswith("#version")]
    return BPETokenizer.from_dict(
        {"vocabulary": vocabulary, "merges": [line.rstrip("\r") for line in lines], "special": [END_OF_TEXT]}
    )


def _short(path: Path, folder: Path) -> str:
    """Return a path as people would write it from the weights' folder: `../data/shakespeare/meta.pkl`."""
    return os.path.relpath(path, folder)
