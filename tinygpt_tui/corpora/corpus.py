"""A text to learn from, as ids: read, checked, and split by position."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from charset_normalizer import from_bytes
from numpy.typing import NDArray

from tinygpt_tui.errors import CorpusError, storage_error
from tinygpt_tui.tokenizers.char import CharTokenizer

# A text rarely has so many control characters; a program, a picture or a zip always does.
LARGEST_SHARE_OF_CONTROLS = 0.01


@dataclass(frozen=True)
class CorpusText:
    """What was read: the text, and notes about what had to be done to read it."""

    text: str
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """Ids in two parts: the model learns from `train` (N,) and is judged by `validation` (M,), both int64."""

    tokenizer: CharTokenizer
    train: NDArray[np.int64] = field(repr=False)
    validation: NDArray[np.int64] = field(repr=False)


def read_text(path: Path) -> CorpusText:
    """Read a text file; UTF-8, or any other encoding that can be told, converted with a note.

    Raises CorpusError where the file is empty or no text, StorageError where it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"there is no file {path}", "check the path; `tinygpt-tui data` lists the known corpora") from None
    except IsADirectoryError:
        raise CorpusError(f"{path} is a folder", "name a text file in it") from None
    except OSError as error:
        raise storage_error(error, path) from error
    sha256 = hashlib.sha256(content).hexdigest()
    notes = []
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = None if _looks_binary(content) else from_bytes(content).best()
        if best is None:
            raise CorpusError(f"{path.name} is not a text file", "choose a plain text file (.txt, .md …)") from None
        text = str(best)
        notes.append(f"{path.name} is not UTF-8; read as {best.encoding.replace('_', '-')}")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("line ends made uniform")
    if not text.strip():
        raise CorpusError(f"{path.name} is empty", "choose a file with some text in it")
    if _looks_binary(text.encode("utf-8", "surrogatepass")):
        raise CorpusError(f"{path.name} is not a text file", "choose a plain text file (.txt, .md …)")
    return CorpusText(text, sha256, tuple(notes))


def split(text: str, block_size: int, validation_share: float, tokenizer: CharTokenizer | None = None) -> Corpus:
    """Turn `text` into ids and cut it once: the last `validation_share` is never trained on.

    Raises CorpusError where a part is too short for one window of `block_size` tokens and the one after it.
    """
    tokenizer = tokenizer or CharTokenizer.of(text)
    ids = tokenizer.encode_array(text)
    cut = int(len(ids) * (1 - validation_share))
    train, validation = ids[:cut], ids[cut:]
    if len(train) <= block_size or len(validation) < 2:
        shortest = int(np.ceil((block_size + 1) / (1 - validation_share))) + 1
        raise CorpusError(
            f"the corpus has {len(ids)} characters; a window of {block_size} needs at least {shortest}",
            f"choose a longer text, or a block size of at most {max(1, len(train) // 2)}",
        )
    return Corpus(tokenizer, train, validation)


def _looks_binary(content: bytes) -> bool:
    head = content[:65536]
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return b"\0" in head or controls > len(head) * LARGEST_SHARE_OF_CONTROLS
