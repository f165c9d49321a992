"""The tokenizer in a model's folder; no torch here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tinygpt_tui.checkpoints.card import TOKENIZER, read_config
from tinygpt_tui.errors import CheckpointError, TinyGPTError, storage_error
from tinygpt_tui.files import write_text
from tinygpt_tui.reading import Damage, read_json
from tinygpt_tui.settings.model_config import NativeConfig
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.documents import DocumentTokenizer
from tinygpt_tui.tokenizers.table import tokenizer_from


def open_tokenizer(folder: Path, config: NativeConfig) -> Tokenizer:
    """Return a model's tokenizer. Raises CheckpointError where it is damaged, or another model's."""
    tokenizer = tokenizer_from(read_tokenizer(folder))
    if tokenizer.size != config.architecture.vocab_size:
        raise CheckpointError(
            f"{folder.name}: the tokenizer knows {tokenizer.size} tokens, the model {config.architecture.vocab_size}",
            "the files are from different models",
        )
    return tokenizer


def known_tokenizer(folder: Path) -> Tokenizer | None:
    """Return a model folder's tokenizer; None where it is damaged."""
    try:
        return open_tokenizer(folder, read_config(folder))
    except TinyGPTError:
        return None


def characters_of(tokenizer: Tokenizer | None) -> frozenset[str] | None:
    """Return the characters that a tokenizer knows; None where it is of another kind."""
    tokenizer = tokenizer.inner if isinstance(tokenizer, DocumentTokenizer) else tokenizer
    return frozenset(tokenizer.characters) if isinstance(tokenizer, CharTokenizer) else None


def write_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write a model folder's vocabulary. Raises StorageError."""
    write_text(folder / TOKENIZER, json.dumps(tokenizer.to_dict(), ensure_ascii=False) + "\n", within=folder)


def read_tokenizer(folder: Path) -> dict[str, Any]:
    """Read `tokenizer.json` of a model folder as plain data. Raises CheckpointError."""
    path = folder / TOKENIZER
    try:
        stored = read_json(path)
    except FileNotFoundError:
        raise CheckpointError(f"{folder.name} has no {TOKENIZER}", "copy the whole model folder again") from None
    except OSError as error:
        raise storage_error(error, path) from error
    except Damage as error:
        raise CheckpointError(f"{path} is damaged: {error}", "copy the whole model folder again") from None
    if not isinstance(stored, dict):
        raise CheckpointError(f"{path} is damaged: no object in it", "copy the whole model folder again")
    return stored
