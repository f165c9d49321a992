"""What a run's tokenizer is made of, as a user types it: `characters`, `bytes`, `bpe:512`, or a file."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from tinygpt_tui.errors import UsageError

CHARACTERS, BYTES = "characters", "bytes"
SMALLEST, LARGEST = 256, 65_536  # tokens of a BPE: the bytes alone, and what two bytes an id can number
_BPE = re.compile(r"bpe[ :=-]*([\d_,.]*)", re.IGNORECASE)


class TokenizerChoice(NamedTuple):
    """A tokenizer that is to be made: of which kind, for a BPE of how many tokens, else from which file."""

    kind: Literal["characters", "bytes", "bpe", "file"]
    size: int = 0
    path: str = ""

    @property
    def name(self) -> str:
        """Its one form in files."""
        return self.path if self.kind == "file" else f"bpe:{self.size}" if self.kind == "bpe" else self.kind


def tokenizer_choice(text: str) -> TokenizerChoice:
    """Return what `text` names. Raises UsageError for a BPE of no size, or of one that cannot be.

    >>> tokenizer_choice("bpe 4,096")
    TokenizerChoice(kind='bpe', size=4096, path='')
    """
    typed = text.strip()
    if typed.lower() in ("", CHARACTERS, "char", "chars", "character"):
        return TokenizerChoice("characters")
    if typed.lower() in (BYTES, "byte"):
        return TokenizerChoice("bytes")
    if (found := _BPE.fullmatch(typed)) is None:
        return TokenizerChoice("file", path=typed)
    number = re.sub(r"[_,.]", "", found[1])
    size = int(number) if number.isdigit() else 0
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(
            f"a BPE has {SMALLEST} to {LARGEST:,} tokens", "choose bpe:512, bpe:4096 …", setting="tokenizer"
        )
    return TokenizerChoice("bpe", size)
