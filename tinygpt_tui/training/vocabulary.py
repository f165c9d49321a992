"""The tokenizer that a run's settings ask for, made from its text or read from a file; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.corpora.cache import key_of, read_cached, save_cached
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.foreign.vocabulary import read_vocabulary
from tinygpt_tui.paths import typed_path
from tinygpt_tui.settings.tokenizer import LARGEST, tokenizer_choice
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import MARKS, DialogueTokenizer
from tinygpt_tui.tokenizers.documents import DocumentTokenizer, is_of_characters

# A BPE is trained on the beginning of the text: never on the validation split, and always on the same part unless that
# is large, so that a smaller split does not change the tokenizer.
LARGEST_PART = 0.9
MOST_CHARACTERS = 32 << 20
SAMPLE = 1 << 18  # characters that tell how long tokens are


def tokenizer_for(
    name: str, found: CorpusText, validation_share: float = TrainingSettings().validation_share
) -> Tokenizer:
    """Return the tokenizer that a setting's `name` asks for, for a text; with tokens for its documents and roles.

    Raises UsageError for a file that is not there or cannot be used, MissingPackageError.
    """
    if not found.documents and found.roles is None:
        return _tokenizer_for(name, found, found.counts, validation_share)
    counts = {character: count for character, count in found.counts.items() if not MARKS.match(character)}
    inner = _tokenizer_for(name, found, counts, validation_share)
    if found.roles is not None:
        inner = inner.inner if isinstance(inner, DocumentTokenizer) else inner
        return DialogueTokenizer(inner, found.roles.roles, found.roles.replies)
    return inner if isinstance(inner, DocumentTokenizer) else DocumentTokenizer(inner)


def named_tokenizer(name: str, text: CorpusText | None) -> Tokenizer:
    """Return the tokenizer that a user means by `name`: as a setting has it, or the name of a model.

    A new one is made from `text`. Raises as above, and UsageError if it needs a text and there is none.
    """
    model = next((card for card in list_models() if card.name == name), None)
    choice = tokenizer_choice(model.path if model else name)
    if text is None and choice.kind in ("characters", "fallback", "bpe"):
        raise UsageError(f"{choice.name} is made from a text", "name it: --corpus tales")
    return tokenizer_for(choice.name, text or CorpusText.of(""))


def _tokenizer_for(name: str, text: CorpusText, counts: Mapping[str, int], validation_share: float) -> Tokenizer:
    choice = tokenizer_choice(name)
    match choice.kind:
        case "characters":
            return CharTokenizer.of_counts(counts)
        case "fallback":
            return ByteTokenizer.of_counts(counts, choice.fewest)
        case "bytes":
            return ByteTokenizer()
        case "bpe":
            part = min(LARGEST_PART, 1 - validation_share)
            characters = min(int(text.characters * part), MOST_CHARACTERS)
            return _bpe(text, characters, choice.size)
        case "file":
            return read_tokenizer_file(typed_path(choice.path))


def _bpe(text: CorpusText, characters: int, size: int) -> BPETokenizer:
    """Train a BPE on the beginning of `text`; that of a large one is saved for the next time."""
    name = text.key and f"{key_of(text.key, characters, size)}.tokenizer"
    known = read_cached(name, dict[str, Any]) if name else None
    if known is not None:
        with suppress(CheckpointError):
            return BPETokenizer.from_dict(known)
    trained = BPETokenizer.trained_on(MARKS.sub("\n", text.beginning(characters)), size)
    if name:
        save_cached(name, trained.to_dict())
    return trained


def count_tokens(text: CorpusText, tokenizer: Tokenizer) -> int:
    """Return how many tokens `text` has; of a long one whose tokens are not characters, about how many."""
    if is_of_characters(tokenizer) or not text.characters:
        return text.characters
    sample = text.beginning(SAMPLE)
    return round(len(tokenizer.encode(sample)) * text.characters / len(sample))


def counts_all(text: CorpusText, tokenizer: Tokenizer) -> bool:
    """Whether `count_tokens` reads all of `text`, so that its answer is exact."""
    return is_of_characters(tokenizer) or text.characters <= SAMPLE


def whole_path(name: str) -> str:
    """Return a tokenizer's name in its one form, a file's path from the root: the trainer works in another folder."""
    choice = tokenizer_choice(name)
    if choice.kind == "file":
        choice = choice._replace(path=str(typed_path(choice.path).absolute()))
    return choice.name


def file_size(path: Path) -> int:
    """Return how many tokens a tokenizer's file has, read again only if it has changed. Raises as below."""
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        stamp = 0
    return _file_size(path, stamp)


@lru_cache(4)
def _file_size(path: Path, stamp: int) -> int:
    return read_tokenizer_file(path).size


def read_tokenizer_file(path: Path) -> Tokenizer:
    """Return the tokenizer in a file, or in a model's folder. Raises UsageError, StorageError."""
    if not is_file(path) and not is_folder(path):
        raise UsageError(
            f"there is no file {path}",
            "choose characters, characters:N, bytes, bpe:SIZE, or a tokenizer's file",
            setting="tokenizer",
        )
    try:
        tokenizer = read_vocabulary(path)
    except CheckpointError as error:
        raise UsageError(error.message, error.hint, setting="tokenizer") from error
    if tokenizer.size > LARGEST:
        raise UsageError(
            f"{path.name} has {tokenizer.size:,} tokens; at most {LARGEST:,} can be trained",
            "choose a smaller one",
            setting="tokenizer",
        )
    return tokenizer
