"""A text to learn from, as ids: read, checked, and split by position."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from charset_normalizer import CharsetMatch, from_bytes
from numpy.typing import NDArray

from tinygpt_tui.errors import CorpusError, storage_error
from tinygpt_tui.reading import open_file
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer

# A text rarely has so many control characters; a program, a picture or a zip always does.
LARGEST_SHARE_OF_CONTROLS = 0.01
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # UTF-32-LE begins like UTF-16-LE
# What text files are really written in; among all that Python knows, a curly quote makes French look like MacLatin2.
LIKELY_ENCODINGS = (
    *("utf_16", "utf_32", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("iso8859_2", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
WESTERN = "cp1252"  # by far the commonest of them, with latin-1 inside it
WESTERN_LEAD = 0.07  # so much more of a mess (charset-normalizer's measure) may it look than the best reading
LARGEST_MESS = 0.4  # its own 0.2 gives up where a text ends with a few quotes and dashes


@dataclass(frozen=True)
class CorpusText:
    """What was read: the text, and notes about what had to be done to read it."""

    text: str
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """Ids in two parts: the model learns from `train` (N,) and is judged by `validation` (M,), both int64."""

    tokenizer: Tokenizer
    train: NDArray[np.int64] = field(repr=False)
    validation: NDArray[np.int64] = field(repr=False)


def read_text(path: Path) -> CorpusText:
    """Read a text file; UTF-8, or any other encoding that can be told, converted with a note.

    Raises CorpusError where the file is empty or no text, StorageError where it cannot be read.
    """
    try:
        with open_file(path) as file:
            content = file.read()
    except FileNotFoundError:
        raise CorpusError(
            f"there is no file {path}", "check the path; `tinygpt-tui data` lists the known corpora"
        ) from None
    except IsADirectoryError:
        raise CorpusError(f"{path} is a folder", "name a text file in it") from None
    except OSError as error:
        raise storage_error(error, path) from error
    sha256 = hashlib.sha256(content).hexdigest()
    notes = []
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = None if _looks_binary(content) and not content.startswith(WIDE) else _likeliest(content)
        if best is None:
            raise CorpusError(f"{path.name} is not a text file", "choose a plain text file (.txt, .md …)") from None
        text = str(best)
        encoding = WESTERN if WESTERN in best.could_be_from_charset else best.encoding
        notes.append(f"{path.name} is not UTF-8; read as {encoding.replace('_', '-')}")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("line ends made uniform")
    if not text.strip():
        raise CorpusError(f"{path.name} is empty", "choose a file with some text in it")
    if _looks_binary(text.encode("utf-8", "surrogatepass")):
        raise CorpusError(f"{path.name} is not a text file", "choose a plain text file (.txt, .md …)")
    return CorpusText(text, sha256, tuple(notes))


def split(text: str, block_size: int, validation_share: float, tokenizer: Tokenizer | None = None) -> Corpus:
    """Turn `text` into ids and cut it once: the last `validation_share` is never trained on.

    Without a `tokenizer`, one of the text's own characters is made.

    Raises CorpusError where a part is too short for one window of `block_size` tokens and the one after it.
    """
    tokenizer = tokenizer or CharTokenizer.of(text)
    if isinstance(tokenizer, CharTokenizer):
        ids, what = tokenizer.encode_array(text), "characters"
    else:
        ids, what = np.array(tokenizer.encode(text), dtype=np.int64), "tokens"
    train, validation = _parts(len(ids), validation_share)
    if not _long_enough(len(ids), block_size, validation_share):
        smaller = f", or a block size of at most {train // 2}" if train >= 2 and validation >= 2 else ""
        raise CorpusError(
            f"the corpus has {len(ids)} {what}; a window of {block_size} needs at least "
            f"{_shortest(block_size, validation_share)}",
            f"choose a longer text{smaller}",
        )
    return Corpus(tokenizer, ids[:train], ids[train:])


def _parts(length: int, validation_share: float) -> tuple[int, int]:
    """Return how many of `length` ids are learnt from, and how many judge."""
    cut = int(length * (1 - validation_share))
    return cut, length - cut


def _long_enough(length: int, block_size: int, validation_share: float) -> bool:
    train, validation = _parts(length, validation_share)
    return train > block_size and validation >= 2


def _shortest(block_size: int, validation_share: float) -> int:
    # The parts are rounded, so that a formula would be one off; it says where to begin to look.
    guess = max(int((block_size + 1) / (1 - validation_share)), int(1 / validation_share))
    near = range(guess, guess + 8)
    return next((length for length in near if _long_enough(length, block_size, validation_share)), near.stop)


def _likeliest(content: bytes) -> CharsetMatch | None:
    """Return the likeliest reading of bytes that are not UTF-8, or None where there is none."""
    likely = from_bytes(content, cp_isolation=list(LIKELY_ENCODINGS), threshold=LARGEST_MESS)
    readings = list(likely) or list(from_bytes(content))
    if not readings:
        return None
    limit = readings[0].chaos + WESTERN_LEAD
    western = (reading for reading in readings if WESTERN in reading.could_be_from_charset and reading.chaos <= limit)
    return next(western, readings[0])


def _looks_binary(content: bytes) -> bool:
    head = content[:65536]
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return b"\0" in head or controls > len(head) * LARGEST_SHARE_OF_CONTROLS
