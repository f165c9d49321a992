"""Vocabularies that files of other programs take for granted."""

from __future__ import annotations

import functools
import string
from pathlib import Path

from tinygpt_tui.reading import read_bytes

LARGEST_TEXT = 16 << 20  # bytes

# Tiny Shakespeare's characters: what nearly every small model without a vocabulary beside it was trained on.
SHAKESPEARE = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# The characters that courses take for granted, in the order of their ids: they are true where the loss confirms them.
USUAL = {
    "tiny Shakespeare": SHAKESPEARE,
    "Python's string.printable": string.printable,
    "ASCII": "".join(map(chr, range(128))),
    "ASCII's printable characters": "".join(map(chr, range(32, 127))),
    "a line end, and ASCII's printable characters": "\n" + "".join(map(chr, range(32, 127))),
}


def characters_of(path: Path) -> str:
    """Return the characters of a text file (UTF-8, else Latin-1), sorted, each once; empty where it cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return _characters_of(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)  # many models may be beside one text
def _characters_of(path: Path, _size: int, _modified: int) -> str:
    try:
        content = read_bytes(path, LARGEST_TEXT)
    except OSError:
        return ""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return "".join(sorted(set(text.replace("\r\n", "\n"))))
